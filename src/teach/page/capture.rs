//! Links to a run's packets. The capture files are embedded in the page.

use crate::lab::Report;
use crate::report::lab::file_name;
use crate::trace::HostId;
use crate::wire::pcapng::pcapng;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// One host's capture file, as a link.
#[derive(Debug)]
pub(super) struct Capture {
    pub name: String,
    /// The file's content in base64; `None` if the page has no room for it.
    pub content: Option<String>,
}

/// Returns a run's capture files. `room` limits their total length in octets. A file that does not fit has no content.
pub(super) fn captures(report: &Report, mut room: usize) -> Vec<Capture> {
    let mut all = Vec::new();
    for part in report.parts().iter().filter(|part| part.trace.packets().next().is_some()) {
        for host in (0..part.trace.hosts.len()).map(HostId) {
            let octets = pcapng(&part.trace, host);
            let length = base64::encoded_len(octets.len(), true).unwrap_or(usize::MAX);
            let fits = length <= room;
            room -= if fits { length } else { 0 };
            let name = file_name::of_host(report.lab.name, report.procedure.engine, part, host)
                + ".pcapng";
            all.push(Capture { name, content: fits.then(|| STANDARD.encode(octets)) });
        }
    }
    all
}
