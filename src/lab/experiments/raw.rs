//! Lab `raw`: what a raw socket, below TCP and UDP, receives.

mod netns;

use crate::lab::Lab;

pub(super) static LAB: Lab = lab!("raw", [netns::PROCEDURE]);
