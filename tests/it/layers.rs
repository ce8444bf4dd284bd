//! A room imports only rooms above it in the list of `lib.rs`.

use crate::support::source;

/// The rooms in the order of their `mod` lines.
fn rooms() -> Vec<String> {
    let lib = source::files("src")
        .into_iter()
        .find(|f| f.path == "src/lib.rs")
        .unwrap();
    lib.code
        .lines()
        .filter_map(|l| l.trim().strip_prefix("pub mod ")?.strip_suffix(';'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn imports_run_one_way() {
    let rooms = rooms();
    let rank = |room: &str| rooms.iter().position(|r| r == room);
    let mut wrong = Vec::new();
    for file in source::files("src") {
        let Some(here) = rank(file.room()) else {
            continue;
        };
        for (line, path) in source::paths(&file.code) {
            let Some(inside) = path.strip_prefix("crate::") else {
                continue;
            };
            let target = inside.split("::").next().unwrap_or("");
            match rank(target) {
                Some(there) if there <= here => {}
                Some(_) => wrong.push(format!(
                    "{}:{line}: `{}` may not use `{target}`, which comes after it in lib.rs",
                    file.path,
                    file.room()
                )),
                None => wrong.push(format!("{}:{line}: no room `{target}`", file.path)),
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_room_is_in_the_list() {
    let rooms = rooms();
    for file in source::files("src") {
        let room = file.room();
        assert!(
            ["lib", "main"].contains(&room) || rooms.iter().any(|r| r == room),
            "{} is not in lib.rs",
            file.path
        );
    }
    for room in &rooms {
        assert!(
            source::files("src").iter().any(|f| f.room() == room),
            "lib.rs names {room}"
        );
    }
}

#[test]
fn paths_are_found_in_groups_and_in_line() {
    let code = source::blank(
        "use crate::{a::{b, c}, d};\n// crate::comment\nfn f() -> crate::e::G { let x = \"crate::h\"; 'x' }\n",
    );
    let found: Vec<String> = source::paths(&code).into_iter().map(|(_, p)| p).collect();
    assert_eq!(
        found,
        ["crate::a::b", "crate::a::c", "crate::d", "crate::e::G"]
    );
}
