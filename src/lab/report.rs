//! The report on a run of a lab.

use super::{
    Engine, Finding, Lab, Lesson, Obstacle, Part, Procedure, Setting, Verdict, finding, sim,
};
use crate::transport::Transport;

/// The report on a run: predictions, observations and traces.
#[derive(Debug)]
pub struct Report {
    pub(crate) lab: &'static Lab,
    pub(crate) procedure: &'static Procedure,
    pub(crate) setting: Setting,
    pub(crate) outcome: Result<Outcome, Obstacle>,
}

impl Report {
    /// The lab that ran.
    #[must_use]
    pub const fn lab(&self) -> &'static Lab {
        self.lab
    }

    /// The engine that the lab ran on.
    #[must_use]
    pub const fn engine(&self) -> Engine {
        self.procedure.engine
    }

    /// The seed; `None` if the run draws no random numbers.
    #[must_use]
    pub fn seed(&self) -> Option<u64> {
        self.procedure.seed(&self.setting)
    }

    /// Each observation with its expected value and the verdict, in the order of the lab's table.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        self.outcome.as_ref().map_or(&[], |outcome| &outcome.findings)
    }

    /// The finding with this name for this transport; `None` if a run with these options has no such finding.
    ///
    /// ```
    /// use daytime::Transport::{Tcp, Udp};
    /// use daytime::lab::{self, Engine, Setting, Value};
    ///
    /// let exchange = lab::find("exchange").expect("a lab of that name");
    /// let report = exchange.run(Engine::Sim, &Setting::default())?;
    /// let packets = |transport| report.finding(transport, "packets sent").and_then(lab::Finding::observed);
    /// let two = Value::Count { count: 2, of: "packet".to_owned() };
    /// assert_eq!(packets(Udp), Some(&two));
    /// assert!(packets(Tcp) > packets(Udp));
    /// assert!(report.finding(Udp, "segments").is_none());
    /// # Ok::<(), lab::LabError>(())
    /// ```
    #[must_use]
    pub fn finding(&self, transport: Transport, name: &str) -> Option<&Finding> {
        finding::find(self.findings(), transport, name)
    }

    /// The parts of the run, each with the trace of its events.
    ///
    /// ```
    /// use daytime::Transport;
    /// use daytime::lab::{self, Engine, TraceAction, Setting};
    ///
    /// let exchange = lab::find("exchange").expect("a lab of that name");
    /// let report = exchange.run(Engine::Sim, &Setting::default())?;
    /// let [_, udp] = report.parts() else { panic!("one part for each transport") };
    /// assert_eq!((udp.transport, &*udp.name), (Transport::Udp, ""));
    /// assert!(udp.trace.hosts().eq(["client", "server"]));
    /// let mut senders = Vec::new();
    /// for event in udp.trace.events() {
    ///     if let TraceAction::Packet { arrivals, .. } = event.action {
    ///         assert!(event.at < arrivals[0]);
    ///         senders.push(event.host);
    ///     }
    /// }
    /// assert_eq!(senders, ["client", "server"]);
    /// # Ok::<(), lab::LabError>(())
    /// ```
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        self.outcome.as_ref().map_or(&[], |outcome| &outcome.parts)
    }

    /// The sentences of the lab's lesson that this run supports.
    ///
    /// ```
    /// use daytime::lab::{self, Engine, Setting};
    ///
    /// let loss = lab::find("loss").expect("a lab of that name");
    /// let report = loss.run(Engine::Sim, &Setting::default().loss(100.0).count(10))?;
    /// assert!(report.lesson().any(|it| it.contains("no client over TCP")));
    /// # Ok::<(), lab::LabError>(())
    /// ```
    pub fn lesson(&self) -> impl Iterator<Item = &'static str> {
        self.lessons().map(|lesson| lesson.says.as_str())
    }

    /// Iterates over the sentences that this run supports, with the findings that they rest on.
    pub(crate) fn lessons(&self) -> impl Iterator<Item = &'static Lesson> {
        self.lab.text.lessons.iter().filter(|lesson| lesson.holds(self.findings()))
    }

    /// Whether the lab ran and no finding differs from its prediction. Differences that are known to occur on other
    /// systems do not count.
    #[must_use]
    pub fn is_as_predicted(&self) -> bool {
        let differs = |finding: &Finding| finding.verdict == Verdict::Differs;
        self.outcome.is_ok() && !self.findings().iter().any(differs)
    }

    /// Returns remarks on the traces: the differences between the engine and a real host.
    pub(crate) fn remarks(&self) -> Vec<String> {
        match self.procedure.engine {
            Engine::Sim => sim::remarks(self.parts()),
            Engine::Loopback | Engine::Netns => Vec::new(),
        }
    }
}

/// Findings and traces from a successful run.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub findings: Vec<Finding>,
    pub parts: Vec<Part>,
}
