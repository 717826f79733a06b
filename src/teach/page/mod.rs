//! Reports as HTML pages: each is one file without a script and without an outside address.

mod capture;
#[cfg(feature = "cli")]
mod comparison;
mod findings;
mod index;
mod part;
mod prediction;
mod report;
#[cfg(test)]
mod tests;

#[cfg(feature = "cli")]
pub(crate) use comparison::comparison;
pub(crate) use index::{Entry, index};
pub(crate) use part::pictures;
pub(crate) use report::report;

/// Maximum number of octets of the page of one lab.
pub(crate) const MAX_OCTETS: usize = 300_000;

/// The styles that every page has.
#[derive(Clone, Copy, Debug)]
struct Styles {
    colours: &'static str,
    picture: &'static str,
    page: &'static str,
}

const STYLES: Styles = Styles {
    colours: include_str!("../../../templates/colours.css"),
    picture: include_str!("../../../templates/picture.css"),
    page: include_str!("../../../templates/page.css"),
};
