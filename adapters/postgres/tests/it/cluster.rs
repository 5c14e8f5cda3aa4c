//! One server process: its settings, its ends and its errors.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid, getpgid};
use slipstream_postgres::{Binaries, Cluster, Mode, PostgresError};

use crate::{execute, query, scratch, search};

#[tokio::test]
async fn a_new_cluster_is_utf8_durable_and_reachable_by_socket_only() {
    let temp = scratch();
    let data = temp.path().join("data");
    let mut cluster = Cluster::open(&data, &search(), &[]).await.unwrap();
    let url = cluster.start().await.unwrap();
    assert_eq!(
        query(
            &url,
            "SELECT concat_ws(' ', pg_encoding_to_char(encoding), datcollate, current_setting('fsync'),
                 current_setting('synchronous_commit'), '[' || current_setting('listen_addresses') || ']')
             FROM pg_database WHERE datname = current_database()"
        )
        .await,
        "UTF8 C.UTF-8 on on []"
    );
    let socket_dir = std::fs::metadata(data.join("s")).unwrap();
    assert_eq!(socket_dir.mode() & 0o777, 0o700);
    cluster.stop(Mode::Fast).await.unwrap();
}

#[tokio::test]
async fn root_runs_the_server_as_another_user_in_its_own_process_group() {
    let temp = scratch();
    let mut cluster = Cluster::open(&temp.path().join("data"), &search(), &[]).await.unwrap();
    cluster.start().await.unwrap();
    let pid = cluster.pid().unwrap();
    let owner = Uid::from_raw(std::fs::metadata(temp.path().join("data/postgres")).unwrap().uid());
    assert!(!owner.is_root());
    assert_eq!(owner == Uid::effective(), !Uid::effective().is_root());
    assert_eq!(getpgid(Some(Pid::from_raw(pid))).unwrap().as_raw(), pid);
    cluster.stop(Mode::Fast).await.unwrap();
}

#[tokio::test]
async fn what_was_committed_survives_an_immediate_stop_and_settings_win_over_defaults() {
    let temp = scratch();
    let settings = [("max_connections", "17"), ("autovacuum", "off")];
    let mut cluster = Cluster::open(&temp.path().join("data"), &search(), &settings).await.unwrap();
    let url = cluster.start().await.unwrap();
    execute(&url, "CREATE TABLE kept AS SELECT 'kept' AS word").await;
    cluster.stop(Mode::Immediate).await.unwrap();
    assert_eq!(cluster.pid(), None);

    let url = cluster.start().await.unwrap();
    assert_eq!(query(&url, "SELECT word || current_setting('max_connections') FROM kept").await, "kept17");
    cluster.stop(Mode::Fast).await.unwrap();
}

#[tokio::test]
async fn the_death_of_the_server_is_noticed_and_survived() {
    let temp = scratch();
    let data = temp.path().join("data");
    let mut cluster = Cluster::open(&data, &search(), &[]).await.unwrap();
    cluster.start().await.unwrap();
    kill(Pid::from_raw(cluster.pid().unwrap()), Signal::SIGKILL).unwrap();

    let death = cluster.wait().await;
    assert_eq!(
        death.to_string(),
        format!("PostgreSQL ended unexpectedly (signal: 9 (SIGKILL)); see {}/postgres.log", data.display())
    );

    let url = cluster.start().await.unwrap();
    assert_eq!(query(&url, "SELECT 'up again'").await, "up again");
    cluster.stop(Mode::Fast).await.unwrap();
}

#[tokio::test]
async fn a_server_that_cannot_start_says_why() {
    let temp = scratch();
    let settings = [("shared_buffers", "nonsense")];
    let mut cluster = Cluster::open(&temp.path().join("data"), &search(), &settings).await.unwrap();
    let error = cluster.start().await.unwrap_err();
    assert!(error.to_string().contains("invalid value for parameter \"shared_buffers\""), "{error}");
    assert_eq!(cluster.pid(), None);
}

#[tokio::test]
async fn a_half_made_cluster_is_made_again() {
    let temp = scratch();
    let data = temp.path().join("data");
    std::fs::create_dir_all(data.join("postgres.new/base")).unwrap();
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o711)).unwrap();
    let mut cluster = Cluster::open(&data, &search(), &[]).await.unwrap();
    let url = cluster.start().await.unwrap();
    assert_eq!(query(&url, "SELECT current_database()::text").await, "slipstream");
    assert!(!data.join("postgres.new").exists());
    cluster.stop(Mode::Fast).await.unwrap();
}

#[tokio::test]
async fn a_long_path_moves_the_socket_to_the_temporary_folder() {
    let temp = scratch();
    let data = temp.path().join("d".repeat(90)).join("data");
    let mut cluster = Cluster::open(&data, &search(), &[]).await.unwrap();
    let url = cluster.start().await.unwrap();
    let socket_dir = cluster.socket_dir().unwrap().to_owned();
    assert!(!socket_dir.starts_with(&data));
    assert_eq!(std::fs::metadata(&socket_dir).unwrap().mode() & 0o777, 0o700);
    assert_eq!(query(&url, "SELECT 'reached'").await, "reached");

    cluster.stop(Mode::Fast).await.unwrap();
    assert!(!socket_dir.exists(), "a socket folder of ours stays behind");
}

#[tokio::test]
async fn missing_binaries_are_named_with_the_folders_searched() {
    let empty = scratch();
    let search = [empty.path().to_owned()];
    let error = Cluster::open(&empty.path().join("data"), &search, &[]).await.unwrap_err();
    assert!(
        matches!(&error, PostgresError::BinariesMissing { looked_in, wanted: None } if *looked_in == search)
    );
}

#[tokio::test]
async fn an_existing_cluster_wants_the_version_that_made_it() {
    let temp = scratch();
    let cluster = temp.path().join("data/postgres");
    std::fs::create_dir_all(&cluster).unwrap();
    std::fs::set_permissions(temp.path().join("data"), std::fs::Permissions::from_mode(0o711)).unwrap();
    std::fs::write(cluster.join("PG_VERSION"), "14\n").unwrap();
    let error = Cluster::open(&temp.path().join("data"), &search(), &[]).await.unwrap_err();
    assert!(matches!(error, PostgresError::BinariesMissing { wanted: Some(14), .. }), "{error}");
}

#[tokio::test]
async fn a_program_that_only_bears_the_name_is_passed_over() {
    let temp = scratch();
    for name in ["initdb", "postgres"] {
        std::fs::write(temp.path().join(name), "not a program").unwrap();
    }
    let mut folders = vec![temp.path().to_owned()];
    folders.extend(search());
    let found = Binaries::find(&folders, None).await.unwrap();
    assert_ne!(found.folder, temp.path());
    assert!(found.major >= 15);
}

/// As an ordinary user the same folder is our own and passes; the rule itself is tested beside the code.
#[tokio::test]
async fn a_folder_the_servers_user_cannot_enter_is_refused_by_name() {
    let closed = scratch();
    std::fs::set_permissions(closed.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let data = closed.path().join("data");
    let opened = Cluster::open(&data, &search(), &[]).await;
    if Uid::effective().is_root() {
        let named = closed.path().canonicalize().unwrap();
        assert!(matches!(opened, Err(PostgresError::Untraversable { folder }) if folder == named));
        assert!(!Path::exists(&data), "a refused folder is not made");
    } else {
        opened.unwrap();
    }
}
