//! Checks whether a lab runs on an engine with a setting. If the lab does not, the error names the alternatives.

use super::{Engine, LABS, Lab, LabError, LabOption, Obstacle, Procedure, Setting};

/// Formats an option's name for an error: the library prints the bare name, the command line adds the dashes.
pub(crate) type NameOption = fn(&str) -> String;

impl Lab {
    /// Returns the lab's procedure for this engine. `option_name` formats an option's name for an error.
    ///
    /// # Errors
    /// [`LabError::is_usage`]: the lab does not run on this engine, or rejects an option or its value. The lab never
    /// ignores an option, because the option would then seem to make no difference.
    pub(crate) fn procedure(
        &self,
        engine: Engine,
        setting: &Setting,
        option_name: NameOption,
    ) -> Result<&'static Procedure, LabError> {
        let procedure = self.procedure_on(engine).ok_or_else(|| self.no_engine(engine));
        let checked = procedure.and_then(|it| self.check(it, setting, option_name).map(|()| it));
        checked.map_err(|usage| LabError(Obstacle::Usage(usage)))
    }

    fn check(
        &self,
        procedure: &Procedure,
        setting: &Setting,
        option_name: NameOption,
    ) -> Result<(), String> {
        for option in setting.options.given() {
            let range = procedure
                .range_of(option)
                .ok_or_else(|| self.no_option(procedure, option, option_name))?;
            if let Some(at) = setting.options.of(option).into_iter().find(|at| !range.allows(*at)) {
                let (lab, engine, option) =
                    (self.name, procedure.engine, option_name(option.name()));
                let (least, most) = (range.values.start(), range.values.end());
                return Err(format!(
                    "{lab} takes {option} from {least} to {most} on {engine}, not {at}"
                ));
            }
        }
        Ok(())
    }

    fn no_engine(&self, engine: Engine) -> String {
        let has: Vec<&str> = self.engines().map(Engine::name).collect();
        format!("{} does not run on {engine}; it runs on {}", self.name, list(&has))
    }

    fn no_option(
        &self,
        procedure: &Procedure,
        option: LabOption,
        option_name: NameOption,
    ) -> String {
        let (name, engine, wanted) = (self.name, procedure.engine, option_name(option.name()));
        let others: Vec<&str> = self.engines_with(option).map(Engine::name).collect();
        if !others.is_empty() {
            let others = list(&others);
            let on = option_name("engine");
            return format!("{name} has no {wanted} on {engine}: it is for {on} {others}");
        }
        let has: Vec<String> =
            procedure.options.iter().map(|range| option_name(range.name())).collect();
        let takes = if has.is_empty() { "no option".to_owned() } else { list(&has) };
        let has_it = |lab: &&&Self| lab.engines_with(option).next().is_some();
        let others: Vec<&str> = LABS.iter().filter(has_it).map(|lab| lab.name).collect();
        let others = if others.is_empty() { "no lab".to_owned() } else { list(&others) };
        format!("{name} has no {wanted}: it has {takes}; {wanted} is for {others}")
    }

    /// Iterates over the engines on which the lab accepts this option.
    pub(crate) fn engines_with(&self, option: LabOption) -> impl Iterator<Item = Engine> {
        let procedures = self.procedures.iter();
        procedures.filter(move |it| it.range_of(option).is_some()).map(|it| it.engine)
    }
}

/// Joins names as in a sentence: `one`, `one and two`, `one, two and three`.
fn list(names: &[impl AsRef<str>]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    match &names[..] {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_as_in_a_sentence() {
        assert_eq!(list(&["sim"]), "sim");
        assert_eq!(list(&["sim", "loopback", "netns"]), "sim, loopback and netns");
    }
}
