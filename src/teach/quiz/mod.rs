//! Quizzes for a learning-management system: the items of some labs, each with several variants.
//!
//! A quiz depends only on its labs, the number of variants and a seed. Each item is a category, so that a teacher can
//! ask each student one variant at random.

mod gift;
mod markdown;
mod moodle;
mod picture;
mod question;
mod run;
mod table;
#[cfg(test)]
mod tests;
mod text2qti;
mod xml;

pub(crate) use gift::gift;
pub(crate) use moodle::moodle;
pub(crate) use text2qti::text2qti;

use super::bank::{Runs, draw_items};
use super::draw::Draw;
use super::item::{Item, Kind};
use crate::lab::{Lab, Report};
use std::fmt::Write;
use std::rc::Rc;

/// A quiz that a learning-management system imports as one file.
#[derive(Debug)]
pub(crate) struct Quiz {
    pub categories: Vec<Category>,
}

/// The variants of one item. No two variants ask the same question.
#[derive(Debug)]
pub(crate) struct Category {
    /// Name of the lab.
    pub lab: &'static str,
    /// Identifier of the item.
    pub id: String,
    pub variants: Vec<Variant>,
}

/// One variant of an item.
#[derive(Debug)]
pub(crate) struct Variant {
    /// Sentences that name the drawn options. Empty if the item does not depend on them.
    pub options: Vec<String>,
    pub item: Item,
    /// The run that decides the answer; `None` for an item without a run.
    pub run: Option<Rc<Report>>,
}

/// The kind of question with which a quiz asks for an order of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ordering {
    /// As a matching question: a place for each event.
    Matching,
    /// As an ordering question, which Moodle supports since version 4.4.
    Ordering,
}

/// Number of draws for each wanted variant. An item without drawn numbers has only one variant, however often it is
/// drawn.
const DRAWS_PER_VARIANT: usize = 4;

impl Quiz {
    /// Draws a quiz with at most this number of variants of each item.
    pub(crate) fn draw(labs: &[&'static Lab], variants: usize, seed: u64) -> Self {
        let mut runs = Runs::default();
        let categories =
            labs.iter().flat_map(|lab| categories(lab, variants, seed, &mut runs)).collect();
        Self { categories }
    }
}

/// Draws the categories of a lab.
fn categories(lab: &'static Lab, wanted: usize, seed: u64, runs: &mut Runs) -> Vec<Category> {
    let mut categories: Vec<Category> = Vec::new();
    for number in 0..wanted * DRAWS_PER_VARIANT {
        let is_full = |it: &Category| it.variants.len() >= wanted;
        if number > 0 && categories.iter().all(is_full) {
            break;
        }
        let drawn =
            draw_items(lab, &mut Draw::seeded(seed, &format!("{} {number}", lab.name)), runs);
        for (at, item) in drawn.items.into_iter().enumerate() {
            let is_of_run = at < drawn.of_run;
            let options = if is_of_run { drawn.options.clone() } else { Vec::new() };
            let run = drawn.report.clone().filter(|_| is_of_run);
            add(&mut categories, lab.name, Variant { options, item, run }, wanted);
        }
    }
    categories
}

/// Adds a variant to its item's category, unless the category is full or already contains the same question.
fn add(categories: &mut Vec<Category>, lab: &'static str, variant: Variant, wanted: usize) {
    let id = &variant.item.id;
    let at = categories.iter().position(|it| it.id == *id).unwrap_or_else(|| {
        categories.push(Category { lab, id: id.clone(), variants: Vec::new() });
        categories.len() - 1
    });
    let Some(Category { variants, .. }) = categories.get_mut(at) else { return };
    let asked = variant.asked();
    if variants.len() < wanted && variants.iter().all(|it| it.asked() != asked) {
        variants.push(variant);
    }
}

impl Variant {
    /// Returns a text that is equal for two variants that ask the same question. The order in which choices are shown
    /// does not affect the text.
    fn asked(&self) -> String {
        let Item { prompt, table, kind, .. } = &self.item;
        let mut asked = format!("{:?} {prompt:?} {table:?} ", self.options);
        let mut shown: Vec<&String> = match kind {
            Kind::Choice(choices) => choices.iter().map(|it| &it.text).collect(),
            Kind::Order(order) => order.labels.iter().collect(),
            _ => Vec::new(),
        };
        shown.sort();
        let right = match kind {
            Kind::Choice(choices) => {
                choices.iter().find(|it| it.is_right).map(|it| it.text.clone()).unwrap_or_default()
            }
            Kind::Field(field) => field.blank.to_string(),
            _ => String::new(),
        };
        // Writing to a string cannot fail.
        let _ = write!(asked, "{shown:?} {right:?}");
        asked
    }
}
