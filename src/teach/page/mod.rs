//! Reports as HTML pages. Each page is one file that contains no scripts and does not load anything from other
//! addresses.

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

/// Maximum length of one lab's page in octets.
pub(crate) const MAX_OCTETS: usize = 300_000;

/// The style sheets that every page includes.
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
