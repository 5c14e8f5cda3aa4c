//! The tables of a read model as the migrations make them, under whatever version: what a rebuild fills. Reads statements as
//! text and knows nothing of columns, so that the migrations stay the one place where tables are described.

use slipstream_eventlog::ProjectorId;

use crate::version::schema;

/// The statements that make the tables of `made`, in order, for `wanted` instead. None when no migration makes any.
pub(crate) fn statements<'a>(
    migrations: impl Iterator<Item = &'a str>,
    made: &ProjectorId,
    wanted: &ProjectorId,
) -> Vec<String> {
    let (made, wanted) = (schema(made), schema(wanted));
    let all = migrations.flat_map(split);
    all.filter_map(|statement| renamed(&statement, &made, &wanted)).collect()
}

/// The statements of a migration, without comments. Understands what our migrations are written in: quoted text and
/// names, dollar-quoted bodies; no `E''` strings with escaped quotes.
fn split(migration: &str) -> Vec<String> {
    let mut statements = Vec::new();
    let mut statement = String::new();
    let mut rest = migration;
    while let Some(next) = rest.chars().next() {
        let (kept, length) = if rest.starts_with("--") {
            ("", rest.find('\n').unwrap_or(rest.len()))
        } else if rest.starts_with("/*") {
            ("", end_of(rest, "*/"))
        } else if next == '\'' || next == '"' {
            let length = end_of(rest, &rest[..1]);
            (&rest[..length], length)
        } else if let Some(quote) = dollar_quote(rest) {
            let length = end_of(rest, quote);
            (&rest[..length], length)
        } else {
            (&rest[..next.len_utf8()], next.len_utf8())
        };
        rest = &rest[length..];
        if kept == ";" {
            statements.push(std::mem::take(&mut statement));
        } else {
            statement.push_str(kept);
        }
    }
    statements.push(statement);
    statements.iter().map(|statement| statement.trim().to_owned()).filter(|text| !text.is_empty()).collect()
}

/// Where what begins with `text` ends: behind the next `end` that is not its beginning. A doubled quote inside quoted text
/// ends it and begins another, which comes to the same.
fn end_of(text: &str, end: &str) -> usize {
    let begun = end.len();
    text[begun..].find(end).map_or(text.len(), |at| begun + at + end.len())
}

/// `$…$` at the start of `text`.
fn dollar_quote(text: &str) -> Option<&str> {
    let tag = text.strip_prefix('$')?;
    let length = tag.find('$')?;
    let is_tag = tag[..length].chars().all(|c| c == '_' || c.is_ascii_alphabetic());
    is_tag.then(|| &text[..length + 2])
}

/// `statement` with the name `to` wherever it has the name `from`; `None` when it does not.
fn renamed(statement: &str, from: &str, to: &str) -> Option<String> {
    let is_part_of_name = |c: char| c == '_' || c.is_ascii_alphanumeric();
    let mut renamed = String::with_capacity(statement.len());
    let mut done = 0;
    for (at, _) in statement.match_indices(from) {
        let before = statement[..at].ends_with(is_part_of_name);
        let after = statement[at + from.len()..].starts_with(is_part_of_name);
        if !before && !after {
            renamed.push_str(&statement[done..at]);
            renamed.push_str(to);
            done = at + from.len();
        }
    }
    renamed.push_str(&statement[done..]);
    (done > 0).then_some(renamed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIGRATIONS: [&str; 2] = [
        "-- rm_list_v1; what it is
         CREATE SCHEMA rm_list_v1; /* rm_list_v1; */ CREATE SCHEMA rm_list_v10;
         CREATE TABLE rm_list_v1.line (text text DEFAULT 'a;''b' /* ; */, \"a;b\" text); -- rm_list_v1
         CREATE INDEX line_by_text ON rm_list_v1.line (text);
         CREATE FUNCTION es.other() RETURNS void LANGUAGE plpgsql AS $$ BEGIN; /* it's */ END $$;
         CREATE TABLE other_rm_list_v1.line (a int)",
        "ALTER TABLE rm_list_v1.line ADD COLUMN b text",
    ];

    #[test]
    fn the_tables_of_a_version_are_made_again_under_another_and_nothing_else_is() {
        let (made, wanted) = (ProjectorId::new("list", 1), ProjectorId::new("list", 1001));
        assert_eq!(
            statements(MIGRATIONS.into_iter(), &made, &wanted),
            [
                "CREATE SCHEMA rm_list_v1001",
                "CREATE TABLE rm_list_v1001.line (text text DEFAULT 'a;''b' , \"a;b\" text)",
                "CREATE INDEX line_by_text ON rm_list_v1001.line (text)",
                "ALTER TABLE rm_list_v1001.line ADD COLUMN b text",
            ]
        );
        assert!(statements(MIGRATIONS.into_iter(), &ProjectorId::new("list", 2), &wanted).is_empty());
    }
}
