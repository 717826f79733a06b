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
pub(super) struct ReceivedPacket(Vec<u8>);

#[derive(Debug)]
pub(super) struct TransmitQueue<'a>(&'a mut VecDeque<Vec<u8>>);

impl Device for Queues {
    type RxToken<'a> = ReceivedPacket;
    type TxToken<'a> = TransmitQueue<'a>;

    fn receive(&mut self, _: Instant) -> Option<(ReceivedPacket, TransmitQueue<'_>)> {
        let packet = self.incoming.pop_front()?;
        Some((ReceivedPacket(packet), TransmitQueue(&mut self.outgoing)))
    }

    fn transmit(&mut self, _: Instant) -> Option<TransmitQueue<'_>> {
        Some(TransmitQueue(&mut self.outgoing))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = MTU;
        capabilities
    }
}

impl RxToken for ReceivedPacket {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(&self.0)
    }
}

impl TxToken for TransmitQueue<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, octets: usize, write: F) -> R {
        let mut packet = vec![0; octets];
        let written = write(&mut packet);
        self.0.push_back(packet);
        written
    }
}
