//! A simulated host's network interface: two packet queues.

use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;
use std::collections::VecDeque;

/// Maximum packet size in octets, as on Ethernet.
const MTU: usize = 1500;

#[derive(Debug, Default)]
pub(super) struct Queues {
    /// Packets that have arrived from the link, for the stack to receive.
    pub incoming: VecDeque<Vec<u8>>,
    /// Packets that the stack has sent, to be put on the link.
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
