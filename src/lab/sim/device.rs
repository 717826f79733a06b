//! What a simulated host has instead of a network card: two queues.

use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;
use std::collections::VecDeque;

/// As on Ethernet.
const MTU: usize = 1500;

#[derive(Debug, Default)]
pub(super) struct Queues {
    /// What has come from the link.
    pub incoming: VecDeque<Vec<u8>>,
    /// What is to be put on it.
    pub outgoing: VecDeque<Vec<u8>>,
}

#[derive(Debug)]
pub(super) struct Taken(Vec<u8>);

#[derive(Debug)]
pub(super) struct Sender<'a>(&'a mut VecDeque<Vec<u8>>);

impl Device for Queues {
    type RxToken<'a> = Taken;
    type TxToken<'a> = Sender<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Taken, Sender<'_>)> {
        let packet = self.incoming.pop_front()?;
        Some((Taken(packet), Sender(&mut self.outgoing)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Sender<'_>> {
        Some(Sender(&mut self.outgoing))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = MTU;
        capabilities
    }
}

impl RxToken for Taken {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(&self.0)
    }
}

impl TxToken for Sender<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, octets: usize, write: F) -> R {
        let mut packet = vec![0; octets];
        let written = write(&mut packet);
        self.0.push_back(packet);
        written
    }
}
