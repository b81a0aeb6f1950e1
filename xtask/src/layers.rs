//! Compares who depends on whom with the table `layers.toml`: arrows between our crates, crates from outside that only
//! some rooms may name, and crates that the pure rooms must not reach through any chain of dependencies.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    arrows: BTreeMap<String, Vec<String>>,
    only: Vec<Limit>,
    unreachable: Vec<Limit>,
}

/// Crates from outside, the rooms they are kept to or kept from, and why.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Limit {
    crates: Vec<String>,
    rooms: Vec<String>,
    reason: String,
}

/// The part of `cargo metadata` that the rules look at.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: HashSet<String>,
    workspace_root: String,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    manifest_path: String,
    dependencies: Vec<Declared>,
}

/// A line of a manifest's dependency tables; `kind` is `None` for normal ones.
#[derive(Deserialize)]
struct Declared {
    name: String,
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<EdgeKind>,
}

#[derive(Deserialize)]
struct EdgeKind {
    kind: Option<String>,
}

pub(crate) fn run(root: &Path) -> Result<()> {
    let table = std::fs::read_to_string(root.join("xtask/layers.toml")).context("read xtask/layers.toml")?;
    let rules: Rules = toml::from_str(&table).context("parse xtask/layers.toml")?;
    // Only this platform's graph: what other systems would need is not downloaded by a build either.
    let output = crate::cargo(root)
        .args(["metadata", "--format-version", "1", "--locked", "--filter-platform", "host-tuple"])
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("start cargo metadata")?;
    if !output.status.success() {
        bail!("cargo metadata failed with {}; see above", output.status);
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout).context("parse cargo metadata")?;
    let problems = check(&rules, &metadata);
    for problem in &problems {
        println!("layers: {problem}");
    }
    if !problems.is_empty() {
        bail!("{} dependencies against xtask/layers.toml", problems.len());
    }
    println!("layers: {} crates keep to xtask/layers.toml", metadata.workspace_members.len());
    Ok(())
}

fn check(rules: &Rules, metadata: &Metadata) -> Vec<String> {
    let ours: BTreeMap<&str, (&str, &Package)> = metadata
        .packages
        .iter()
        .filter(|package| metadata.workspace_members.contains(&package.id))
        .map(|package| (package.name.as_str(), (room(package, &metadata.workspace_root), package)))
        .collect();
    let names =
        metadata.packages.iter().map(|package| (package.id.as_str(), package.name.as_str())).collect();
    let graph = normal_graph(&metadata.resolve);
    let mut problems = Vec::new();
    for &(room, package) in ours.values() {
        let declared: Vec<&str> = package
            .dependencies
            .iter()
            .filter(|dependency| dependency.kind.as_deref() != Some("dev"))
            .map(|dependency| dependency.name.as_str())
            .collect();
        let targets = declared.iter().filter_map(|name| ours.get(name)).map(|(target, _)| *target);
        problems.extend(forbidden_arrows(rules, room, package, targets));
        problems.extend(misplaced(rules, room, package, &declared));
        problems.extend(reached(rules, room, package, &graph, &names));
    }
    problems
}

/// The room of one of our crates: the folder below `crates`, or the top folder for the others.
fn room<'a>(package: &'a Package, workspace_root: &str) -> &'a str {
    let path = package.manifest_path.strip_prefix(workspace_root).unwrap_or(&package.manifest_path);
    path.trim_start_matches('/').trim_start_matches("crates/").split('/').next().unwrap_or_default()
}

fn forbidden_arrows<'a>(
    rules: &Rules,
    room: &str,
    package: &Package,
    targets: impl Iterator<Item = &'a str>,
) -> Vec<String> {
    let Some(allowed) = rules.arrows.get(room) else {
        return vec![format!("room {room} has no row under [arrows]; add one that says what it may know")];
    };
    let may_know = if allowed.is_empty() { "nothing of ours".to_owned() } else { allowed.join(", ") };
    targets
        .filter(|target| !allowed.iter().any(|name| matches(name, target)))
        .map(|target| {
            format!(
                "{room} -> {target} is no allowed arrow ({room} may know {may_know}): remove {target} from the Cargo.toml of {}; move \
                 what both need into a room both may know, or let a caller pass it in",
                package.name
            )
        })
        .collect()
}

fn misplaced(rules: &Rules, room: &str, package: &Package, declared: &[&str]) -> Vec<String> {
    let mut problems = Vec::new();
    for limit in rules.only.iter().filter(|limit| !limit.rooms.iter().any(|allowed| allowed == room)) {
        for name in declared.iter().filter(|name| limit.crates.iter().any(|pattern| matches(pattern, name))) {
            problems.push(format!(
                "{room} depends on {name}, which only {} may: {}; remove it from the Cargo.toml of {}",
                limit.rooms.join(", "),
                limit.reason,
                package.name
            ));
        }
    }
    problems
}

fn reached(
    rules: &Rules,
    room: &str,
    package: &Package,
    graph: &Graph<'_>,
    names: &HashMap<&str, &str>,
) -> Vec<String> {
    let mut problems = Vec::new();
    for limit in rules.unreachable.iter().filter(|limit| limit.rooms.iter().any(|pure| pure == room)) {
        for pattern in &limit.crates {
            let is_target = |id: &str| names.get(id).is_some_and(|name| matches(pattern, name));
            let Some(path) = shortest_path(graph, &package.id, is_target) else { continue };
            let path: Vec<&str> = path.iter().filter_map(|id| names.get(id)).copied().collect();
            problems.push(format!(
                "{room} must not reach {pattern}: {}; {}; remove the first step, or switch off the feature that pulls it",
                path.join(" -> "),
                limit.reason
            ));
        }
    }
    problems
}

/// Package id to the ids of its normal dependencies.
type Graph<'a> = HashMap<&'a str, Vec<&'a str>>;

fn normal_graph(resolve: &Resolve) -> Graph<'_> {
    resolve.nodes.iter().map(|node| (node.id.as_str(), normal_dependencies(node))).collect()
}

fn normal_dependencies(node: &Node) -> Vec<&str> {
    let is_normal = |edge: &&Edge| edge.dep_kinds.iter().any(|kind| kind.kind.is_none());
    node.deps.iter().filter(is_normal).map(|edge| edge.pkg.as_str()).collect()
}

fn shortest_path<'a>(
    graph: &Graph<'a>,
    from: &'a str,
    is_target: impl Fn(&str) -> bool,
) -> Option<Vec<&'a str>> {
    let mut came_from: HashMap<&str, &str> = HashMap::new();
    let mut queue = VecDeque::from([from]);
    while let Some(at) = queue.pop_front() {
        if at != from && is_target(at) {
            let mut path = vec![at];
            let mut step = at;
            while let Some(&previous) = came_from.get(step) {
                path.push(previous);
                step = previous;
            }
            path.reverse();
            return Some(path);
        }
        for &next in graph.get(at).into_iter().flatten() {
            if next != from && !came_from.contains_key(next) {
                came_from.insert(next, at);
                queue.push_back(next);
            }
        }
    }
    None
}

/// Whether a name fits a pattern; a trailing `*` stands for any ending.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = r#"
        arrows = { domain = [], policy = ["domain"], store = ["domain"], cli = ["*"], examples = [] }
        only = [{ crates = ["sqlx", "alloy-*"], rooms = ["store"], reason = "SQL" }]
        unreachable = [{ crates = ["rand"], rooms = ["policy"], reason = "pure" }]
    "#;

    /// A workspace at /w: every row is a crate's folder (or an outside crate's name) and `name:kind` dependencies.
    fn problems(rows: &[(&str, &[&str])]) -> Vec<String> {
        let name_of = |at: &str| at.rsplit('/').next().unwrap_or(at).to_owned();
        let (mut packages, mut members, mut nodes) = (Vec::new(), Vec::new(), Vec::new());
        for (at, dependencies) in rows {
            let parse = |text: &&str| {
                let (name, kind) =
                    text.split_once(':').map_or((*text, None), |(name, kind)| (name, Some(kind)));
                (name.to_owned(), kind.map(str::to_owned))
            };
            let parsed: Vec<_> = dependencies.iter().map(parse).collect();
            let declared: Vec<_> =
                parsed.iter().map(|(name, kind)| serde_json::json!({"name": name, "kind": kind})).collect();
            let edges: Vec<_> = parsed
                .iter()
                .map(|(name, kind)| serde_json::json!({"pkg": name, "dep_kinds": [{"kind": kind}]}))
                .collect();
            let name = name_of(at);
            packages.push(serde_json::json!({"id": name, "name": name, "dependencies": declared,
                "manifest_path": format!("/w/{at}/Cargo.toml")}));
            nodes.push(serde_json::json!({"id": name, "deps": edges}));
            if at.contains('/') {
                members.push(name);
            }
        }
        let metadata = serde_json::json!({"packages": packages, "workspace_members": members,
            "workspace_root": "/w", "resolve": {"nodes": nodes}});
        check(&toml::from_str(RULES).unwrap(), &serde_json::from_value(metadata).unwrap())
    }

    #[test]
    fn arrow_outside_the_table_is_named_with_its_manifest() {
        let good =
            [("crates/domain", &[][..]), ("crates/store", &["domain"]), ("crates/cli", &["store", "domain"])];
        assert_eq!(problems(&good), Vec::<String>::new());
        let bad = problems(&[("crates/store", &[]), ("crates/policy", &["store"])]);
        assert_eq!(bad.len(), 1, "{bad:?}");
        assert!(
            bad[0].starts_with("policy -> store is no allowed arrow (policy may know domain)"),
            "{bad:?}"
        );
        assert!(bad[0].contains("remove store from the Cargo.toml of policy"), "{bad:?}");
    }

    #[test]
    fn build_dependencies_count_and_dev_dependencies_do_not() {
        let of_kind = |kind| problems(&[("crates/store", &[]), ("crates/policy", &[kind])]).len();
        assert_eq!((of_kind("store:build"), of_kind("store:dev")), (1, 0));
    }

    #[test]
    fn room_without_a_row_and_example_that_knows_us_are_refused() {
        assert!(problems(&[("crates/new", &[])])[0].starts_with("room new has no row"));
        assert_eq!(problems(&[("crates/domain", &[]), ("examples/digits", &["domain"])]).len(), 1);
    }

    #[test]
    fn outside_crate_is_kept_to_its_rooms() {
        assert_eq!(problems(&[("crates/store", &["sqlx"]), ("sqlx", &[])]).len(), 0);
        assert_eq!(problems(&[("crates/cli", &["sqlx"]), ("sqlx", &[])]).len(), 1);
        assert_eq!(problems(&[("crates/cli", &["alloy-sol"]), ("alloy-sol", &[])]).len(), 1);
        assert_eq!(problems(&[("crates/cli", &["sqlx:dev"]), ("sqlx", &[])]).len(), 0);
    }

    #[test]
    fn pure_room_that_reaches_randomness_is_named_with_the_path() {
        let chain = |kind| problems(&[("crates/policy", &["a"]), ("a", &[kind]), ("rand", &["a"])]);
        assert_eq!(chain("rand:dev").len(), 0);
        assert_eq!(chain("rand:build").len(), 0);
        let found = chain("rand");
        assert!(found[0].contains("policy -> a -> rand"), "{found:?}");
    }

    #[test]
    fn committed_table_parses_and_has_no_way_round() {
        let rules: Rules = toml::from_str(include_str!("../layers.toml")).unwrap();
        let mut seen: Vec<&str> = Vec::new();
        while seen.len() < rules.arrows.len() {
            let knows_only_seen =
                |targets: &Vec<String>| targets.iter().all(|to| to == "*" || seen.contains(&to.as_str()));
            let next =
                rules.arrows.iter().find(|(from, to)| !seen.contains(&from.as_str()) && knows_only_seen(to));
            seen.push(next.expect("the arrows form a circle, or name a room without a row").0);
        }
    }
}
