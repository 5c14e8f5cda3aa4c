//! Versions of a read model's tables: `shape + 1000 × rebuild`. The shape is what a program must know to read and write
//! them, the version that its [`Projection`](crate::Projection) names; migrations make the tables of rebuild 0. A rebuild
//! has tables of the same shape beside them (ops/adr/0025).

use slipstream_eventlog::ProjectorId;

/// How far apart two rebuilds of one shape are.
pub(crate) const REBUILD: i32 = 1000;

/// What a program must know to read and write the tables of a version.
pub(crate) const fn shape(version: i32) -> i32 {
    version % REBUILD
}

/// The later of two versions is the greater: a newer shape, or a later rebuild of the same.
pub(crate) const fn age(version: i32) -> (i32, i32) {
    (shape(version), version / REBUILD)
}

/// The schema with the tables of a version.
pub(crate) fn schema(projector: &ProjectorId) -> String {
    format!("rm_{}_v{}", projector.name, projector.version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rebuild_is_later_than_what_it_was_made_from_and_earlier_than_the_next_shape() {
        let mut versions = [3, 1002, 2, 2002, 1001];
        versions.sort_by_key(|version| age(*version));
        assert_eq!(versions, [1001, 2, 1002, 2002, 3]);
        assert_eq!(schema(&ProjectorId::new("transcript", 1002)), "rm_transcript_v1002");
    }
}
