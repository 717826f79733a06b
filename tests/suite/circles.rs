//! Checks that no source files use each other in a circle: `docs/ARCHITECTURE.md`, "Layers".
//!
//! A file uses another file if it names an item that the other file defines. A re-export counts for the file that
//! defines the item. A file may use the modules that contain it: a `mod.rs` is the frame of its folder.

use crate::layers::sources;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

#[test]
fn no_source_files_use_each_other_in_a_circle() {
    let tree = Tree::read();
    let uses: BTreeMap<_, _> = tree.0.keys().map(|module| (module, tree.uses(module))).collect();
    let count: usize = uses.values().map(BTreeSet::len).sum();
    assert!(count > 400, "only {count} uses found: does this test still read the sources?");
    let reached: BTreeMap<_, _> =
        uses.keys().map(|module| (*module, reach(module, &uses))).collect();
    let circles: BTreeSet<Vec<&str>> = reached
        .iter()
        .filter(|(module, reached)| reached.contains(**module))
        .map(|(module, others)| {
            let circle = others.iter().filter(|other| reached[*other].contains(*module));
            circle.map(|other| &*tree.0[*other].file).collect()
        })
        .collect();
    assert!(circles.is_empty(), "these files use each other: {circles:#?}");
}

/// The path of a module, without `crate`.
type Module = Vec<String>;

/// All modules that have a file.
struct Tree(BTreeMap<Module, Source>);

struct Source {
    /// Path below `src`.
    file: String,
    /// Code without comments, unit tests and `use`.
    code: String,
    imports: Vec<Import>,
    /// Names of the items that the file defines.
    items: BTreeSet<String>,
}

/// A name that `use` imports.
struct Import {
    name: String,
    path: Vec<String>,
    /// Whether the file re-exports the name.
    is_public: bool,
}

impl Tree {
    fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let modules = sources().into_iter().map(|(_, path, text)| {
            let file = path.strip_prefix(&root).expect("below src").display().to_string();
            let module = file.trim_end_matches(".rs").trim_end_matches("/mod");
            (module.split('/').map(str::to_owned).collect(), Source::new(file.clone(), &text))
        });
        Self(modules.collect())
    }

    /// Returns the modules whose items a module names, except itself and the modules that contain it.
    fn uses(&self, module: &Module) -> BTreeSet<&Module> {
        let Source { code, imports, .. } = &self.0[module];
        let words: BTreeSet<&str> = paths(code).flatten().collect();
        let is_named = |it: &&Import| !it.is_public || words.contains(&*it.name);
        let imports = imports.iter().filter(is_named).map(|import| import.path.clone());
        let inline = paths(code).filter(|path| path.len() > 1);
        let inline = inline.map(|path| path.into_iter().map(str::to_owned).collect());
        let used =
            imports.chain(inline).filter_map(|path: Vec<String>| self.resolve(module, &path));
        used.filter(|used| !module.starts_with(used)).collect()
    }

    /// Returns the module that defines the item at a path, as seen from `from`. Outside this crate it is `None`.
    fn resolve(&self, from: &[String], path: &[String]) -> Option<&Module> {
        let mut at = from.to_vec();
        for (number, name) in path.iter().enumerate() {
            let child = [&at[..], std::slice::from_ref(name)].concat();
            match name.as_str() {
                "crate" => at.clear(),
                "self" => {}
                "super" => drop(at.pop()),
                _ if self.0.contains_key(&child) => at = child,
                _ => return self.resolve_item(&at, &path[number..], number == 0),
            }
        }
        self.0.get_key_value(&at).map(|(module, _)| module)
    }

    /// Returns the module that defines an item of the module `at`. With `is_first`, the name may also be that of a
    /// crate.
    fn resolve_item(&self, at: &[String], path: &[String], is_first: bool) -> Option<&Module> {
        let (module, source) = self.0.get_key_value(at)?;
        let mut imports = source.imports.iter();
        if let Some(import) = imports.clone().find(|import| import.is(&path[0])) {
            self.resolve(at, &[&import.path, &path[1..]].concat())
        } else if is_first {
            None
        } else if source.items.contains(&path[0]) {
            Some(module)
        } else {
            imports.find_map(|import| {
                let is_glob = import.name == "*";
                is_glob.then(|| self.resolve(at, &[&import.path, path].concat())).flatten()
            })
        }
    }
}

impl Import {
    /// Whether a path may begin with this import. `use chrono::chrono` gives no such path.
    fn is(&self, name: &str) -> bool {
        self.name == name && self.path[0] != name
    }
}

impl Source {
    fn new(file: String, text: &str) -> Self {
        let tests = ["#[cfg(test)]\nmod tests {", "#[cfg(test)]\npub(super) mod tests {"];
        let end = tests.iter().filter_map(|tests| text.find(tests)).min().unwrap_or(text.len());
        let (mut code, mut imports, mut import) = (String::new(), Vec::new(), String::new());
        for line in text[..end].lines() {
            let line = line.split("//").next().unwrap_or_default().trim();
            let visibility = line.split_once("use ").map(|(visibility, _)| visibility.trim());
            let begins = visibility.is_some_and(|it| it.is_empty() || it.starts_with("pub"));
            if !begins && import.is_empty() {
                code += line;
                code += "\n";
                continue;
            }
            import += line;
            if let Some(whole) = import.strip_suffix(';') {
                let (visibility, tree) = whole.split_once("use ").expect("begins so");
                let is_public = !visibility.is_empty();
                let names = expand(tree).into_iter();
                imports.extend(names.map(|(name, path)| Import { name, path, is_public }));
                import.clear();
            }
        }
        Self { file, items: definitions(&code), code, imports }
    }
}

/// Returns the names of the items that a text defines.
fn definitions(code: &str) -> BTreeSet<String> {
    let kinds = ["const", "enum", "fn", "macro_rules", "static", "struct", "trait", "type"];
    let words: Vec<&str> = paths(code).flatten().collect();
    let pairs = words.windows(2).filter(|pair| kinds.contains(&pair[0]));
    pairs.map(|pair| pair[1].to_owned()).collect()
}

/// Returns the names that a tree of `use` imports, with their paths. A crate alone gives no name.
fn expand(tree: &str) -> Vec<(String, Vec<String>)> {
    if let Some((prefix, group)) = tree.split_once('{') {
        let group = group.trim_end().trim_end_matches('}');
        let mut depth = 0;
        let branches = group.split(|letter| {
            depth += i32::from(letter == '{') - i32::from(letter == '}');
            letter == ',' && depth == 0
        });
        let branches = branches.map(str::trim).filter(|branch| !branch.is_empty());
        return branches.flat_map(|branch| expand(&format!("{prefix}{branch}"))).collect();
    }
    let (path, alias) = tree.split_once(" as ").map_or((tree, None), |(path, it)| (path, Some(it)));
    let mut path: Vec<String> = path.split("::").map(|name| name.trim().to_owned()).collect();
    let is_module = path.last().is_some_and(|last| last == "self");
    path.truncate(path.len() - usize::from(is_module));
    let name = alias.or(path.last().map(String::as_str)).unwrap_or_default().to_owned();
    path.truncate(path.len() - usize::from(name == "*"));
    if tree.contains("::") { vec![(name, path)] } else { Vec::new() }
}

/// Returns the paths and single words of a text.
fn paths(code: &str) -> impl Iterator<Item = Vec<&str>> {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':';
    let runs = code.split(move |letter| !is_part(letter));
    runs.map(|run| run.split(':').filter(|name| !name.is_empty()).collect())
}

/// Returns all modules that a module uses, directly or through other modules.
fn reach<'a>(
    module: &'a Module,
    uses: &BTreeMap<&'a Module, BTreeSet<&'a Module>>,
) -> BTreeSet<&'a Module> {
    let (mut reached, mut next) = (BTreeSet::new(), vec![module]);
    while let Some(module) = next.pop() {
        next.extend(uses[module].iter().filter(|used| reached.insert(**used)));
    }
    reached
}
