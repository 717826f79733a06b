//! Derives each student's random options from the teacher's secret.
//!
//! For a given [`VERSION`], the secret and the [`SheetName`] determine all random choices on a sheet. Each field is
//! hashed with its length in front of it, so two different names never produce the same hash input.

use hmac::{Hmac, KeyInit, Mac};
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};
use sha2::Sha256;
use std::fmt;

/// Version of the items. A change that would give a student different items or numbers needs a new version, because
/// grading regenerates the items.
pub(crate) const VERSION: u64 = 1;

/// The teacher's secret, whose octets are never shown, not even by `Debug`.
#[derive(Clone)]
pub(crate) struct Secret(Vec<u8>);

/// The fields that name one student's sheet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SheetName {
    pub assignment: String,
    pub student: String,
}

/// A source of random numbers for one purpose, such as the items of one lab.
#[derive(Debug)]
pub(crate) struct Draw(Pcg64Mcg);

/// Minimum length of a secret in octets. This minimum gives 128 bits of entropy if the octets are random.
pub(crate) const MIN_SECRET_OCTETS: usize = 16;

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// Creates a secret from a file's content without the white space at both ends. Returns `None` if the rest is too
    /// short.
    pub(crate) fn of(content: &[u8]) -> Option<Self> {
        let content = content.trim_ascii();
        (content.len() >= MIN_SECRET_OCTETS).then(|| Self(content.to_vec()))
    }

    /// Returns a sheet's key. The sheet's random options are derived from this key.
    fn sheet_key(&self, SheetName { assignment, student }: &SheetName) -> [u8; 32] {
        let version = VERSION.to_be_bytes();
        code(&self.0, &[&version, assignment.as_bytes(), student.as_bytes()])
    }

    /// Returns a sheet's source of random numbers for one purpose.
    pub(crate) fn draw(&self, name: &SheetName, purpose: &str) -> Draw {
        let code = code(&self.sheet_key(name), &[b"draw", purpose.as_bytes()]);
        Draw(Pcg64Mcg::from_seed(std::array::from_fn(|at| code[at])))
    }

    /// Returns a message authentication code over these fields. No student can compute the code without the secret.
    pub(crate) fn tag(&self, name: &SheetName, fields: &[&[u8]]) -> [u8; 16] {
        let fields: Vec<&[u8]> = [&b"tag"[..]].into_iter().chain(fields.iter().copied()).collect();
        let code = code(&self.sheet_key(name), &fields);
        std::array::from_fn(|at| code[at])
    }
}

/// Returns the HMAC-SHA-256 of the fields. Each field is preceded by its length.
fn code(key: &[u8], fields: &[&[u8]]) -> [u8; 32] {
    let Ok(mut hmac) = Hmac::<Sha256>::new_from_slice(key) else {
        unreachable!("HMAC accepts a key of any length")
    };
    for field in fields {
        hmac.update(&(field.len() as u64).to_be_bytes());
        hmac.update(field);
    }
    hmac.finalize().into_bytes().into()
}

impl Draw {
    /// Creates a source of random numbers from a public seed, for quizzes.
    pub(crate) fn seeded(seed: u64, purpose: &str) -> Self {
        let code = code(&seed.to_be_bytes(), &[purpose.as_bytes()]);
        Self(Pcg64Mcg::from_seed(std::array::from_fn(|at| code[at])))
    }

    /// Draws a number below `end`. All numbers have the same probability. Returns 0 if `end` is 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = end as u64;
        // For up to 2¹⁴ values, the probabilities of any two numbers differ by less than one part in 2⁵⁰.
        let wide = u128::from(self.0.next_u64()) * u128::from(end);
        usize::try_from(wide >> 64).unwrap_or(0)
    }

    /// Draws one of the values. Returns `otherwise` if there are none.
    pub(crate) fn one_of<T: Copy>(&mut self, values: &[T], otherwise: T) -> T {
        values.get(self.below(values.len())).copied().unwrap_or(otherwise)
    }

    /// Draws a random 32-bit number.
    pub(crate) fn word(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// Puts the values into a random order (Fisher–Yates shuffle).
    pub(crate) fn shuffle<T>(&mut self, values: &mut [T]) {
        for last in (1..values.len()).rev() {
            values.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::hex;
    use std::collections::BTreeSet;

    fn secret() -> Secret {
        Secret::of(b"0123456789abcdef\n").expect("long enough")
    }

    fn name(assignment: &str, student: &str) -> SheetName {
        SheetName { assignment: assignment.to_owned(), student: student.to_owned() }
    }

    #[test]
    fn the_code_is_hmac_sha_256() {
        // Python: hmac.new(b"Jefe", len(field).to_bytes(8, "big") + field, "sha256").hexdigest()
        let code = code(b"Jefe", &[b"what do ya want for nothing?"]);
        assert_eq!(hex(&code), "f80838b2e599dfbe7a38f7a7a17809946762357529df986b87919b732a79be43");
    }

    #[test]
    fn a_short_secret_is_refused_and_the_line_end_does_not_count() {
        assert!(Secret::of(b"0123456789abcde\n").is_none() && Secret::of(b"").is_none());
        assert_eq!(secret().0, b"0123456789abcdef");
        assert_eq!(format!("{:?}", secret()), "Secret(…)");
    }

    #[test]
    fn no_two_names_draw_the_same() {
        let names = [("ab", "c"), ("a", "bc"), ("", "abc"), ("abc", ""), ("a", "b"), ("b", "a")];
        let drawn: BTreeSet<u32> = names
            .iter()
            .map(|(one, other)| secret().draw(&name(one, other), "lab").word())
            .collect();
        assert_eq!(drawn.len(), names.len());
        let [one, other] = ["lab", "order"].map(|it| secret().draw(&name("a", "b"), it).word());
        assert_ne!(one, other);
        let again = secret().draw(&name("a", "b"), "lab").word();
        assert_eq!(one, again);
    }

    #[test]
    fn a_tag_depends_on_the_secret_and_on_every_field() {
        let other = Secret::of(b"another secret of a teacher").expect("long enough");
        let tags = [
            secret().tag(&name("a", "b"), &[b"loss"]),
            secret().tag(&name("a", "b"), &[b"lo", b"ss"]),
            secret().tag(&name("a", "c"), &[b"loss"]),
            other.tag(&name("a", "b"), &[b"loss"]),
        ];
        assert_eq!(BTreeSet::from(tags).len(), 4);
    }

    #[test]
    fn every_value_is_drawn_as_often_as_the_others() {
        let (mut draw, mut counts) = (secret().draw(&name("a", "b"), "test"), [0; 5]);
        (0..5000).for_each(|_| counts[draw.below(5)] += 1);
        assert!(counts.iter().all(|count| (900..1100).contains(count)), "{counts:?}");
        let mut shuffled: Vec<usize> = (0..26).collect();
        draw.shuffle(&mut shuffled);
        assert_ne!(shuffled, (0..26).collect::<Vec<_>>());
        shuffled.sort_unstable();
        assert_eq!(shuffled, (0..26).collect::<Vec<_>>());
    }
}
