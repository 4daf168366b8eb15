"""Plants values that Faker made up in sentences and JSON, runs `policy-compiler detect`, writes a table.

Run it with scripts/measure-detectors. The same seed gives the same texts. Values come from Faker, or
from the rule of their issuer where Faker has none; neither looks at our patterns.
"""

import base64
import collections
import hashlib
import json
import random
import string
import subprocess
import sys
import tempfile

import faker

SEED = 20261124
PER_KIND = 400
CLEAN = 20_000

random.seed(SEED)
faker.Faker.seed(SEED)
LOCALES = ["en_US", "en_GB", "de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL", "pt_BR", "en_IN"]
by_locale = {locale: faker.Faker(locale) for locale in LOCALES}
us, gb, de, fr, es, it, nl, br, india = (by_locale[locale] for locale in LOCALES)


def pick(alphabet, count):
    return "".join(random.choice(alphabet) for _ in range(count))


ALNUM = string.ascii_letters + string.digits
URLSAFE = ALNUM + "-_"
HEX = "0123456789abcdef"


# === Values ===


def phone():
    return random.choice([us, gb, de, fr, es, it, nl, br, india]).phone_number()


def date():
    day = us.date_of_birth(minimum_age=1, maximum_age=95)
    return day.strftime(random.choice(["%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d %B %Y", "%B %d, %Y"]))


def steuer_id():
    while True:
        digits = [random.randint(1, 9)] + [random.randint(0, 9) for _ in range(9)]
        counts = collections.Counter(digits)
        if sorted(counts.values())[-2:] in ([1, 2], [1, 3]):
            break
    product = 10
    for digit in digits:
        product = ((digit + product) % 10 or 10) * 2 % 11
    return "".join(map(str, digits)) + str((11 - product) % 10)


def nino():
    # Those of Faker begin with ZZ, which stands for no number.
    while True:
        prefix = random.choice("ABCEGHJKLMNOPRSTWXYZ") + random.choice("ABCEGHJKLMNPRSTWXYZ")
        if prefix not in ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ"):
            return grouped(prefix + pick(string.digits, 6) + random.choice("ABCD"), 2, 2, 2, 2, 1)


def aadhaar():
    # Those of Faker have a check digit of Luhn, and not of Verhoeff.
    def multiply(one, other):
        turned = (one + other if one < 5 else one - other) % 5
        return turned + 5 if (one < 5) != (other < 5) else turned

    number = random.choice("23456789") + pick(string.digits, 10)
    product = 0
    for place, digit in enumerate(map(int, number[::-1]), 1):
        for _ in range(place % 8):
            digit = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4][digit]
        product = multiply(product, digit)
    return number + str(next(digit for digit in range(10) if multiply(product, digit) == 0))


def base58check(version):
    payload = bytes([version]) + random.randbytes(20)
    payload += hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4]
    alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    number, text = int.from_bytes(payload, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = alphabet[digit] + text
    return "1" * (len(payload) - len(payload.lstrip(b"\0"))) + text


def bech32():
    alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    bits = "".join(f"{byte:08b}" for byte in random.randbytes(20))
    data = [0] + [int(bits[at : at + 5], 2) for at in range(0, 160, 5)]
    checksum = 1
    for value in [3, 3, 0, 2, 3] + data + [0] * 6:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate([0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3]):
            checksum ^= generator if top >> bit & 1 else 0
    checksum ^= 1
    data += [checksum >> 5 * (5 - at) & 31 for at in range(6)]
    return "bc1" + "".join(alphabet[value] for value in data)


def jwt():
    def part(text):
        return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()

    header = json.dumps({"alg": random.choice(["HS256", "RS256"]), "typ": "JWT", "kid": pick(HEX, 8)})
    return f"{part(header)}.{part(json.dumps({'sub': us.user_name(), 'iat': 1763900000}))}.{pick(URLSAFE, 43)}"


def grouped(number, *sizes):
    number = "".join(filter(str.isalnum, number))
    parts, at = [], 0
    for size in sizes:
        parts.append(number[at : at + size])
        at += size
    return random.choice(["", " ", "-"]).join(parts)


def private_key():
    kind = random.choice(["", "RSA ", "EC ", "OPENSSH "])
    return f"-----BEGIN {kind}PRIVATE KEY-----\\n{pick(ALNUM + '+/', 160)}\\n-----END {kind}PRIVATE KEY-----"


# Detector: how a value is made, and sentences in which a person would write it.
KINDS = {
    "email": (lambda: us.email(), ["Email: {}", "write to {} please", '{{"email":"{}"}}']),
    "phone": (phone, ["Call me at {}.", "My phone number is {}, thanks", "Tel. {}", '{{"phoneNumber":"{}"}}', "mobile: {}"]),
    "credit-card": (lambda: us.credit_card_number(), ["card number {}", "Pay with Visa {}", '{{"card":"{}"}}']),
    "iban": (lambda: random.choice([gb, de, fr, es, it, nl]).iban(), ["IBAN {}", "transfer to account {}", '{{"iban":"{}"}}']),
    "us-ssn": (lambda: grouped(us.ssn(), 3, 2, 4), ["SSN {}", "My social security number is {}.", '{{"ssn":"{}"}}']),
    "uk-nino": (nino, ["NI number {}", "National Insurance: {}", '{{"nino":"{}"}}']),
    "br-cpf": (lambda: random.choice([br.cpf(), br.cpf().replace(".", "").replace("-", "")]), ["CPF {}", "O CPF dele é {}.", '{{"cpf":"{}"}}']),
    "in-aadhaar": (lambda: grouped(aadhaar(), 4, 4, 4), ["Aadhaar {}", "my Aadhaar number is {}", '{{"aadhaar_number":"{}"}}']),
    "de-tax-id": (steuer_id, ["Steuer-ID {}", "Meine Steueridentifikationsnummer lautet {}.", '{{"steuerId":"{}"}}']),
    "fr-nir": (lambda: fr.ssn(), ["NIR {}", "Numéro de sécurité sociale : {}", '{{"nir":"{}"}}']),
    "es-dni": (lambda: random.choice([es.nif, es.nie])(), ["DNI {}", "con número de identidad {}", '{{"dni":"{}"}}']),
    "it-codice-fiscale": (lambda: it.ssn(), ["codice fiscale {}", "CF: {}", '{{"codiceFiscale":"{}"}}']),
    "nl-bsn": (lambda: nl.ssn(), ["BSN {}", "mijn burgerservicenummer is {}", '{{"bsn":"{}"}}']),
    "passport": (lambda: random.choice([us.passport_number, gb.passport_number, de.passport_number])(), ["Passport {}", "passport number: {}", "Reisepass Nr. {}", '{{"passportNumber":"{}"}}']),
    "date-of-birth": (date, ["born {}", "DOB: {}", "Date of birth {}", "geboren am {}", '{{"dateOfBirth":"{}"}}']),
    "ipv4": (lambda: us.ipv4(), ["from {} port 22", "IP {}", '{{"ip":"{}"}}']),
    "ipv6": (lambda: us.ipv6(), ["from {} port 22", "IP {}", '{{"ip":"{}"}}']),
    "mac": (lambda: us.mac_address(), ["MAC {}", "ether {} txqueuelen 1000", '{{"mac":"{}"}}']),
    "bitcoin-address": (lambda: random.choice([lambda: base58check(0), lambda: base58check(5), bech32])(), ["send BTC to {}", "wallet {}", '{{"address":"{}"}}']),
    "ethereum-address": (lambda: "0x" + pick(HEX, 40), ["send ETH to {}", "wallet {}", '{{"address":"{}"}}']),
    "jwt": (jwt, ["token {}", "Cookie: session={}", '{{"access_token":"{}"}}']),
    "bearer-token": (lambda: "Bearer " + pick(URLSAFE + ".", random.randint(24, 64)), ["Authorization: {}", 'curl -H "Authorization: {}"', '{{"authorization":"{}"}}']),
    "basic-auth": (lambda: "Basic " + base64.b64encode(f"{us.user_name()}:{us.password()}".encode()).decode(), ["Authorization: {}", 'curl -H "Authorization: {}"', '{{"authorization":"{}"}}']),
    "url-credentials": (lambda: f"://{us.user_name()}:{pick(ALNUM + '%._-', 12)}@", ["postgres{}db.internal/main", "git clone https{}git.example/x", '{{"url":"redis{}cache:6379"}}']),
    "private-key": (private_key, ["key: {}", "here is my key {} thanks", '{{"key":"{}"}}']),
    "aws-access-key": (lambda: random.choice(["AKIA", "ASIA"]) + pick(string.ascii_uppercase + "234567", 16), ["aws_access_key_id = {}", "AWS key {}", '{{"AccessKeyId":"{}"}}']),
    "azure-key": (lambda: random.choice(["AccountKey=" + base64.b64encode(random.randbytes(64)).decode(), pick(ALNUM, 3) + "8Q~" + pick(URLSAFE + ".~", 33) + "a"]), ["AZURE={}", "AccountName=x;{};EndpointSuffix=y", '{{"value":"{}"}}']),
    "google-api-key": (lambda: "AIza" + pick(URLSAFE, 34) + pick(ALNUM, 1), ["key={}", "Google API key {}", '{{"apiKey":"{}"}}']),
    "gcp-service-account": (lambda: f"{us.user_name()}@{us.domain_word()}-{random.randint(1, 999)}.iam.gserviceaccount.com", ["as {}", "member serviceAccount:{}", '{{"client_email":"{}"}}']),
    "github-token": (lambda: random.choice(["ghp_", "gho_", "ghs_"]) + pick(ALNUM, 36), ["GITHUB_TOKEN={}", "token {}", '{{"token":"{}"}}']),
    "gitlab-token": (lambda: "glpat-" + pick(URLSAFE, 19) + pick(ALNUM, 1), ["PRIVATE-TOKEN: {}", "token {}", '{{"token":"{}"}}']),
    "npm-token": (lambda: "npm_" + pick(ALNUM, 36), ["_authToken={}", "npm token {}", '{{"token":"{}"}}']),
    "openai-key": (lambda: random.choice(["sk-", "sk-proj-"]) + pick(ALNUM, 48), ["OPENAI_API_KEY={}", "key {}", '{{"key":"{}"}}']),
    "anthropic-key": (lambda: "sk-ant-api03-" + pick(URLSAFE, 92) + "AA", ["ANTHROPIC_API_KEY={}", "key {}", '{{"key":"{}"}}']),
    "slack-token": (lambda: f"xoxb-{pick(string.digits, 12)}-{pick(string.digits, 13)}-{pick(ALNUM, 24)}", ["SLACK_TOKEN={}", "token {}", '{{"token":"{}"}}']),
    "stripe-key": (lambda: random.choice(["sk_live_", "sk_test_", "rk_live_"]) + pick(ALNUM, 24), ["STRIPE_KEY={}", "key {}", '{{"key":"{}"}}']),
    "sendgrid-key": (lambda: f"SG.{pick(URLSAFE, 22)}.{pick(URLSAFE, 43)}", ["SENDGRID={}", "key {}", '{{"key":"{}"}}']),
    "high-entropy": (lambda: random.choice([pick(HEX, 32), pick(ALNUM, 24), pick(ALNUM + "+/", 40)]), ["secret={}", "api_key: {}", "export DB_PASSWORD='{}'", '{{"client_secret":"{}"}}']),
}

# Sentences that say nothing about what the value is.
BARE = ["I wrote down {} yesterday.", "{}", "see {} for more", '{{"value":"{}"}}', '{{"items":["{}","x"]}}', "- {} (old)", "She said {} was wrong, and left."]


# === Text without anything to find ===


def clean():
    fake = random.choice([us, gb, de, fr, es, it, nl])
    return random.choice(
        [
            lambda: fake.sentence(nb_words=12),
            lambda: fake.paragraph(nb_sentences=3).replace("\n", " "),
            lambda: f"The meeting is on {us.date()} at {us.time()} in room {random.randint(1, 400)}.",
            lambda: f"Order {random.randint(10**8, 10**10 - 1)} shipped, {random.randint(1, 99)} items, total {us.pricetag()}",
            lambda: json.dumps({"id": us.uuid4(), "created": random.randint(1_600_000_000, 1_800_000_000), "price": random.randint(100, 99999) / 100, "name": us.catch_phrase(), "sku": pick(string.ascii_uppercase + string.digits, 8)}),
            lambda: json.dumps({"sha256": pick(HEX, 64), "size": random.randint(1, 10**9), "version": f"{random.randint(0, 9)}.{random.randint(0, 20)}.{random.randint(0, 20)}", "lat": float(us.latitude()), "lon": float(us.longitude())}),
            lambda: f"ISBN {us.isbn13()}, EAN {us.ean13()}",
            lambda: f"{us.date()}T{us.time()}.{random.randint(100, 999)}Z INFO [{us.word()}] took {random.randint(1, 9999)} ms, {random.randint(1, 10**7)} bytes, request {pick(HEX, 16)}",
            lambda: f"for (auto it = std::{us.word()}::begin(); it != x[{random.randint(0, 99)}]; ++it) {us.word()}(0x{pick(HEX, 8)});",
            lambda: f"https://{us.domain_name()}/{us.uri_path()}?page={random.randint(1, 99)}&ref={pick(ALNUM, 10)}",
            lambda: f"Q{random.randint(1, 4)} revenue was {random.randint(1, 999)},{random.randint(100, 999)},{random.randint(100, 999)} against {random.randint(1, 99)}.{random.randint(0, 9)} % growth.",
        ]
    )()


# === Measuring ===


def texts():
    """Lines with the kind, start and end of what is planted in them."""
    for kind, (make, sentences) in KINDS.items():
        for number in range(PER_KIND):
            told = number % 2 == 0
            before, after = random.choice(sentences if told else BARE).split("{}")
            before, after = (part.replace("{{", "{").replace("}}", "}") for part in (before, after))
            value = make()
            start = len(before.encode())
            yield before + value + after, kind, told, start, start + len(value.encode())
    for _ in range(CLEAN):
        yield clean(), None, False, 0, 0


def main(compiler, page):
    lines = list(texts())
    with tempfile.NamedTemporaryFile() as corpus:
        corpus.write("\n".join(text.replace("\n", " ") for text, *_ in lines).encode())
        corpus.flush()
        run = subprocess.run([compiler, "detect", "--lines", corpus.name], capture_output=True, check=False)
    if run.returncode not in (0, 1):
        sys.exit(run.stderr.decode())
    found = collections.defaultdict(list)
    for line in run.stdout.splitlines():
        finding = json.loads(line)
        found[finding["detector"]].append((finding["start"], finding["end"]))

    ranges, at = [], 0
    for text, *_ in lines:
        ranges.append(at)
        at += len(text.replace("\n", " ").encode()) + 1
    rows = [row(kind, lines, ranges, found[kind]) for kind in KINDS]
    with open(page, "w") as out:
        out.write(HEAD.format(per_kind=PER_KIND, clean=CLEAN, version=faker.VERSION, size=round(at / 1000)))
        out.write("\n".join(rows) + "\n" + TAIL)


def row(kind, lines, ranges, findings):
    """A row of the table: what of one kind was planted, and what its detector made of all lines."""
    counts = collections.Counter()
    at = 0
    for (text, planted, told, start, end), base in zip(lines, ranges):
        limit = base + len(text.encode())
        hits = []
        while at < len(findings) and findings[at][0] < limit:
            hits.append((findings[at][0] - base, findings[at][1] - base))
            at += 1
        mine = [hit for hit in hits if planted and hit[0] < end and start < hit[1]]
        if planted == kind:
            counts["planted", told] += 1
            whole = any(hit[0] <= start and end <= hit[1] for hit in mine)
            counts["whole" if whole else "part" if mine else "missed", told] += 1
            counts["other"] += len(hits) - len(mine)
        elif planted:
            counts["other"] += len(hits)
        else:
            counts["clean"] += len(hits)

    def of(told):
        part = counts["part", told]
        return f"{counts['whole', told]}" + (f" + {part} in part" if part else "") + f" of {counts['planted', told]}"

    return f"| {kind} | {of(True)} | {of(False)} | {counts['other']} | {counts['clean']} |"


HEAD = """# Detectors, measured

<!-- Written by scripts/measure-detectors. Do not edit. -->

What the built-in detectors find in texts that were made up: {per_kind} values of each kind, half in a
sentence or JSON member that says what the value is ("SSN …", `{{"ssn": "…"}}`), half in one that does not
("I wrote down …"); and {clean} lines without anything to find: prose in seven languages, logs, JSON with
identifiers, hashes and coordinates, ISBNs, code, URLs. {size} kB in all, `minScore` 0.5. Values come from
Faker {version}, from the rule of their issuer where Faker has none, and for keys of services from their
documented form.

Read it with care. What is made up is cleaner than what people write, and keys whose form we know from the
same documents as the detectors are found almost by definition. Measure on your own texts with
`policy-compiler detect`.

- *told*, *untold*: found as a whole, with and without a word that says what it is.
- *on others*: matches on values of another kind, such as a detector of numbers on a number of another state.
- *on clean*: matches in the {clean} lines without anything to find.

| detector | told | untold | on others | on clean |
|---|---|---|---|---|
"""

TAIL = """
What was missed and what was found beyond, as far as we looked: card numbers of Faker that no issuer has
(JCB outside 3528 to 3589 and with 15 digits, Maestro with 0604); telephone numbers and identity numbers
without separators where no word tells what they are; product codes (EAN) of which one in ten satisfies
Luhn; addresses of service accounts and `password@host` in URLs, which are e-mail addresses by their form;
keys of services behind `token=`, which are random too. Numbers of Faker for the United Kingdom (all begin
with `ZZ`) and for Aadhaar (with another check digit) were not used.

To repeat it: `scripts/measure-detectors`. It needs Python 3 and fetches Faker into `target/`.
"""

if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
