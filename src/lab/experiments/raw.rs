//! Lab `raw`: a raw socket, below the transports.

mod netns;

use crate::lab::Lab;

pub(super) static LAB: Lab = lab!("raw", [netns::PROCEDURE]);
