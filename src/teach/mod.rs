//! What a teacher hands out and a student hands in: reports as HTML and SVG, sheets, keys, grades and quizzes. All of
//! it is text made from values: this module opens no socket and no file, and knows no terminal.

pub(crate) mod bank;
pub(crate) mod class;
pub(crate) mod draw;
pub(crate) mod grade;
pub(crate) mod item;
pub(crate) mod key;
pub(crate) mod mistake;
pub(crate) mod page;
pub(crate) mod picture;
pub(crate) mod predictions;
pub(crate) mod quiz;
pub(crate) mod sheet;
pub(crate) mod submission;
