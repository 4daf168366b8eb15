//! From the headers of a request to its caller.
//!
//! The order is that of cost, so that a forged token is refused before it costs a signature: place,
//! length, segments, header, algorithm, payload, issuer, claims, key, signature. A caller learns only
//! that the token is invalid and which check it failed first; none of the checks before the signature
//! looks at anything secret.

use std::rc::Rc;

use tracegate_bundle::policy::{Algorithm, Connection, TokenHeader};

use super::cache::{TokenId, Verified};
use super::claims::{self, Claims, Principal};
use super::jws::{Compact, Header, Kind};
use super::keyring::Lookup;
use super::waiting::HOLD_MS;
use super::{Authentication, Bound, Identity, extract};
use crate::Timestamp;
use crate::http::HeaderMap;
use crate::metrics::{Metric, Metrics};
use crate::refusal::Refusal;

/// Why nobody is authenticated.
enum Not {
    /// The request must not pass.
    Refused(Refusal),
    /// The keys of that provider are to be asked for first. `otherwise` is the answer for a request
    /// that cannot wait for them, or has waited already.
    Yet { provider: usize, otherwise: Refusal },
}

impl From<Refusal> for Not {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// A token, and the providers of the connection that take one from where it was.
struct Presented<'r> {
    token: &'r [u8],
    trusted: Vec<usize>,
}

impl Identity {
    /// Who sent a request with these headers over that connection.
    ///
    /// `may_wait`: whether [`Authentication::Pending`] is an answer. It is for a request that has
    /// not waited yet; for one that was woken it is not, and what is still missing then is refused.
    pub fn authenticate(
        &mut self,
        headers: &HeaderMap,
        connection: &Connection,
        may_wait: bool,
        now: Timestamp,
        metrics: &mut Metrics,
    ) -> Authentication {
        match self.decide(headers, connection, now, metrics) {
            Ok(decided) => decided,
            Err(Not::Yet { provider, .. }) if may_wait => Authentication::Pending(provider),
            Err(
                Not::Refused(refusal)
                | Not::Yet {
                    otherwise: refusal, ..
                },
            ) => Authentication::Refused(refusal),
        }
    }

    fn decide(
        &mut self,
        headers: &HeaderMap,
        connection: &Connection,
        now: Timestamp,
        metrics: &mut Metrics,
    ) -> Result<Authentication, Not> {
        let Presented { token, trusted } = match self.token(headers, connection)? {
            Some(presented) => presented,
            None if connection.allow_missing => return Ok(Authentication::Anonymous),
            None => return Err(Refusal::JwtMissing.into()),
        };
        let compact = Compact::split(token)?;
        let digest = TokenId::digest(token);
        let known = self.recall(digest, &trusted, now);
        metrics.record(
            Metric::TokenCache {
                hit: known.is_some(),
            },
            1,
        );
        match known {
            Some((provider, known)) => Ok(self.again(provider, &known, now)?),
            None => self.first_time(&compact, digest, &trusted, now),
        }
    }

    /// A token whose signature has been verified before.
    fn again(
        &self,
        provider: usize,
        known: &Verified,
        now: Timestamp,
    ) -> Result<Authentication, Refusal> {
        let bound = self.providers.get(provider).ok_or(Refusal::JwtIssuer)?;
        let principal = &known.claims.principal;
        bound.accepts(known.kind, &known.claims, now)?;
        Ok(Authentication::Verified(Rc::clone(principal)))
    }

    /// A token that nobody has verified.
    fn first_time(
        &mut self,
        compact: &Compact<'_>,
        digest: [u8; 32],
        trusted: &[usize],
        now: Timestamp,
    ) -> Result<Authentication, Not> {
        let header = compact.header()?;
        let accepted = |provider: &usize| self.accepts_algorithm(*provider, header.kind.algorithm);
        if !trusted.iter().any(accepted) {
            return Err(Refusal::JwtAlgorithm.into());
        }
        let members = compact.payload()?;
        let issuer = claims::issuer(&members)?;
        let provider = self.issuer(trusted, issuer).ok_or(Refusal::JwtIssuer)?;
        let bound = self.providers.get(provider).ok_or(Refusal::JwtIssuer)?;
        let claims = Claims::read(members)?;
        bound.accepts(header.kind, &claims, now)?;
        self.verify(provider, compact, digest, header, claims, now)
    }

    /// The token of a request.
    fn token<'r>(
        &self,
        headers: &'r HeaderMap,
        connection: &Connection,
    ) -> Result<Option<Presented<'r>>, Refusal> {
        let of_connection = || {
            connection.providers.iter().filter_map(|&index| {
                Some((usize::from(index), self.providers.get(usize::from(index))?))
            })
        };
        let locations: Vec<&TokenHeader> = of_connection()
            .flat_map(|(_, bound)| &bound.provider.from_headers)
            .collect();
        let Some(found) = extract::token(headers, &locations)? else {
            return Ok(None);
        };
        let takes = |bound: &Bound| bound.provider.from_headers.contains(found.location);
        let trusted = of_connection()
            .filter(|(_, bound)| takes(bound))
            .map(|(index, _)| index)
            .collect();
        Ok(Some(Presented {
            token: found.token,
            trusted,
        }))
    }

    /// The token as it was verified before, and the provider that it belongs to on this connection.
    fn recall(
        &mut self,
        digest: [u8; 32],
        trusted: &[usize],
        now: Timestamp,
    ) -> Option<(usize, Verified)> {
        trusted.iter().find_map(|&index| {
            let ring = self.rings.get(self.providers.get(index)?.ring)?;
            if !ring.usable(now) {
                return None;
            }
            let known = self
                .cache
                .get(&TokenId::new(digest, ring.id()), now)?
                .clone();
            // The same choice as for a token that comes for the first time.
            let issuer = &known.claims.principal.issuer;
            (self.issuer(trusted, issuer) == Some(index)).then_some((index, known))
        })
    }

    /// The first of these providers that stands for that issuer.
    fn issuer(&self, trusted: &[usize], issuer: &str) -> Option<usize> {
        trusted.iter().copied().find(|&index| {
            let bound = self.providers.get(index);
            bound.is_some_and(|bound| bound.provider.issuer == issuer)
        })
    }

    fn accepts_algorithm(&self, provider: usize, algorithm: Algorithm) -> bool {
        let bound = self.providers.get(provider);
        bound.is_some_and(|bound| bound.provider.algorithms.contains(&algorithm))
    }

    /// Verifies the signature with the keys of that provider.
    fn verify(
        &mut self,
        provider: usize,
        compact: &Compact<'_>,
        digest: [u8; 32],
        header: Header,
        claims: Claims,
        now: Timestamp,
    ) -> Result<Authentication, Not> {
        let algorithm = header.kind.algorithm;
        let signature = compact.signature()?;
        let bound = self.providers.get(provider).ok_or(Refusal::JwtIssuer)?;
        let ring = self.rings.get(bound.ring).ok_or(Refusal::JwksUnavailable)?;
        let keys = match ring.find(header.key_id.as_deref(), algorithm, now) {
            Lookup::Keys(keys) => keys,
            Lookup::OtherAlgorithm => return Err(Refusal::JwtAlgorithm.into()),
            Lookup::UnknownKey => return Err(Refusal::JwtUnknownKey.into()),
            Lookup::Ask { next_chance } => {
                return Err(Not::yet(
                    provider,
                    next_chance,
                    now,
                    Refusal::JwksUnavailable,
                ));
            }
        };
        let message = compact.signing_input;
        let mut candidates = keys
            .into_iter()
            .filter(|key| key.signature_len() == signature.len());
        let Some(key) = candidates.find(|key| {
            let verdict = self.verifier.verify(algorithm, key, message, &signature);
            verdict == Some(true)
        }) else {
            // The issuer may have put a new key in the place of this one, under the same name.
            return Err(match ring.may_be_outdated(now) {
                Some(next_chance) => Not::yet(provider, next_chance, now, Refusal::JwtSignature),
                None => Refusal::JwtSignature.into(),
            });
        };
        let principal: Rc<Principal> = Rc::clone(&claims.principal);
        let verified = Verified {
            key: *key.thumbprint(),
            kind: header.kind,
            claims,
        };
        self.cache
            .insert(TokenId::new(digest, ring.id()), verified, now);
        Ok(Authentication::Verified(principal))
    }
}

impl Not {
    /// The keys are worth waiting for if they may come in time.
    fn yet(provider: usize, next_chance: u64, now: Timestamp, otherwise: Refusal) -> Self {
        if next_chance <= now.plus_millis(HOLD_MS).millis() {
            Self::Yet {
                provider,
                otherwise,
            }
        } else {
            Self::Refused(otherwise)
        }
    }
}

impl Bound {
    /// Whether the provider accepts a token with that header and these claims now.
    fn accepts(&self, kind: Kind, claims: &Claims, now: Timestamp) -> Result<(), Refusal> {
        if !self.provider.algorithms.contains(&kind.algorithm) {
            return Err(Refusal::JwtAlgorithm);
        }
        if !kind.media_type.is(self.provider.token_type) {
            return Err(Refusal::JwtType);
        }
        claims.check(&self.provider, now)
    }
}
