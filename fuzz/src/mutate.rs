//! Mutations of valid inputs, from a seed: the same seed gives the same inputs on any machine.

/// Numbers that look random (xorshift64*).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The sequence of that seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(2).wrapping_add(1))
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `bound`, or 0 if that is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = bound.max(1) as u64;
        usize::try_from((self.next() >> 16) % bound).unwrap_or_default()
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// A part of `bytes`, at most 64 bytes long.
    fn part(&mut self, bytes: &[u8]) -> std::ops::Range<usize> {
        let start = self.below(bytes.len() + 1);
        let length = self.below((bytes.len() - start).min(64) + 1);
        start..start + length
    }
}

/// What the formats in question are made of, and where their parsers go wrong.
const TOKENS: [&str; 40] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\u0000",
    "\\ud800",
    "\\udc00",
    "\\u0041",
    "null",
    "true",
    "-0",
    "1e999",
    "18446744073709551616",
    "0.1",
    ".",
    "=",
    "-",
    "_",
    "\n",
    "\n  ",
    "\t",
    "\r",
    "- ",
    ": ",
    "&a ",
    "*a",
    "!!str ",
    "|",
    "#",
    "---",
    "\u{feff}",
    "\u{2028}",
    "😀",
    "none",
    "HS256",
    "$..*",
];

/// A variant of one of the seeds.
pub fn mutated(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = random.pick(seeds).clone();
    for _ in 0..=random.below(4) {
        mutate(&mut input, seeds, random);
    }
    input
}

fn mutate(input: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut Random) {
    let part = random.part(input);
    match random.below(8) {
        0 if !input.is_empty() => {
            let index = random.below(input.len());
            input[index] ^= 1 << random.below(8);
        }
        1 if !input.is_empty() => {
            let index = random.below(input.len());
            input[index] = random.below(256) as u8;
        }
        2 => drop(input.drain(part)),
        3 => {
            let copy = input[part.clone()].to_vec();
            input.splice(part.end..part.end, copy);
        }
        4 => input.truncate(part.start),
        5 => {
            let token = random.pick(&TOKENS).bytes();
            input.splice(part, token);
        }
        6 => {
            let token = random.pick(&TOKENS).bytes();
            input.splice(part.start..part.start, token);
        }
        _ => {
            let other = random.pick(seeds);
            let donor = random.part(other);
            input.splice(part, other[donor].iter().copied());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_inputs() {
        let seeds = vec![br#"{"a":1}"#.to_vec(), b"xyz".to_vec(), Vec::new()];
        let inputs = |seed| {
            let mut random = Random::new(seed);
            (0..100)
                .map(|_| mutated(&seeds, &mut random))
                .collect::<Vec<_>>()
        };
        assert_eq!(inputs(7), inputs(7));
        assert_ne!(inputs(7), inputs(8));
    }
}
