//! Owners, visitors and guests of one data folder.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use slipstream_postgres::{PostgresError, PreviousOwner, PrivatePostgres};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::{execute, lock_text, query, scratch, search};

/// Set in the child of [`spawn_owner`] only: the data folder to own.
const OWNER_OF: &str = "SLIPSTREAM_TEST_OWNER_OF";

/// Another process that owns `data`; returns once it does.
async fn spawn_owner(data: &Path) -> Child {
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "private::the_other_process_owns_its_folder", "--nocapture"])
        .env(OWNER_OF, data)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        if line.contains("owned") {
            return owner;
        }
    }
    panic!("the other process ended early: {:?}", owner.wait().await);
}

/// The body of that process. In an ordinary run nobody asks for it and it has nothing to own.
#[tokio::test]
async fn the_other_process_owns_its_folder() {
    use std::io::Write;
    let Some(data) = std::env::var_os(OWNER_OF).map(PathBuf::from) else {
        return;
    };
    let owned = PrivatePostgres::start_or_adopt(&data, &search()).await.unwrap();
    writeln!(std::io::stdout(), "owned").unwrap();
    std::future::pending::<()>().await;
    drop(owned);
}

async fn kill_9(mut owner: Child) {
    owner.kill().await.unwrap();
}

/// A signal is delivered some time after it is sent; until then the server accepts connections.
async fn until_dead(pid: i32) {
    let stat = format!("/proc/{pid}/stat");
    while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn postmaster_pid(data: &Path) -> i32 {
    let text = std::fs::read_to_string(data.join("postgres/postmaster.pid")).unwrap();
    text.lines().next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_restart_finds_everything_again() {
    let temp = scratch();
    let data = temp.path().join("data");
    let first = PrivatePostgres::start_or_adopt(&data, &search()).await.unwrap();
    assert_eq!(first.previous_owner(), PreviousOwner::None);
    execute(first.url(), "CREATE TABLE kept AS SELECT 'kept' AS word").await;
    first.stop().await.unwrap();
    assert!(!data.join("postgres/postmaster.pid").exists(), "the server still runs");

    let second = PrivatePostgres::start_or_adopt(&data, &search()).await.unwrap();
    assert_eq!(second.previous_owner(), PreviousOwner::None);
    assert_eq!(query(second.url(), "SELECT word FROM kept").await, "kept");
    second.stop().await.unwrap();
}

#[tokio::test]
async fn a_second_owner_is_refused_and_told_of_the_first() {
    let temp = scratch();
    let data = temp.path().join("data");
    let owner = PrivatePostgres::start_or_adopt(&data, &search()).await.unwrap();
    let refused = PrivatePostgres::start_or_adopt(&data, &search()).await.unwrap_err();
    let own = i32::try_from(std::process::id()).unwrap();
    assert!(matches!(refused, PostgresError::DataDirInUse { pid: Some(pid), .. } if pid == own), "{refused}");
    assert_eq!(query(owner.url(), "SELECT 'unharmed'").await, "unharmed");
    owner.stop().await.unwrap();
}

#[tokio::test]
async fn the_server_of_a_killed_owner_is_adopted_and_ended_with_the_new_one() {
    let temp = scratch();
    let data = temp.path().join("data");
    kill_9(spawn_owner(&data).await).await;
    let left_behind = postmaster_pid(&data);

    let adopted = PrivatePostgres::start_or_adopt(&data, &search()).await.unwrap();
    assert_eq!(adopted.previous_owner(), PreviousOwner::Dead);
    assert_eq!(postmaster_pid(&data), left_behind);
    assert_eq!(query(adopted.url(), "SELECT 'adopted'").await, "adopted");
    adopted.stop().await.unwrap();
    assert!(!data.join("postgres/postmaster.pid").exists(), "the adopted server still runs");
    assert_eq!(lock_text(&data), "");
}

#[tokio::test]
async fn the_death_of_an_adopted_server_is_noticed() {
    let temp = scratch();
    let data = temp.path().join("data");
    kill_9(spawn_owner(&data).await).await;
    let mut adopted = PrivatePostgres::start_or_adopt(&data, &search()).await.unwrap();
    kill(Pid::from_raw(postmaster_pid(&data)), Signal::SIGKILL).unwrap();
    let death = tokio::time::timeout(Duration::from_secs(10), adopted.wait()).await.unwrap();
    assert!(death.to_string().starts_with("PostgreSQL ended unexpectedly; see "), "{death}");
}

#[tokio::test]
async fn owner_and_server_killed_together_leave_a_folder_that_starts_again() {
    let temp = scratch();
    let data = temp.path().join("data");
    let owner = spawn_owner(&data).await;
    let server = postmaster_pid(&data);
    kill(Pid::from_raw(server), Signal::SIGKILL).unwrap();
    kill_9(owner).await;
    until_dead(server).await;

    let again = PrivatePostgres::start_or_adopt(&data, &search()).await.unwrap();
    assert_eq!(again.previous_owner(), PreviousOwner::Dead);
    assert_eq!(query(again.url(), "SELECT 'recovered'").await, "recovered");
    again.stop().await.unwrap();
}

#[tokio::test]
async fn a_stale_pid_file_naming_another_program_is_no_obstacle() {
    let temp = scratch();
    let data = temp.path().join("data");
    PrivatePostgres::start_or_adopt(&data, &search()).await.unwrap().stop().await.unwrap();
    // PostgreSQL believes in a process it may signal, so the other program runs as the server's user.
    let owner = std::fs::metadata(data.join("postgres")).unwrap().uid();
    let mut other = Command::new("sleep").arg("60").uid(owner).kill_on_drop(true).spawn().unwrap();
    let stale = format!("{}\n{}\n1\n5432\n\n\n\nready   \n", other.id().unwrap(), data.display());
    std::fs::write(data.join("postgres/postmaster.pid"), stale).unwrap();

    let again = PrivatePostgres::start_or_adopt(&data, &search()).await.unwrap();
    assert_eq!(query(again.url(), "SELECT 'started'").await, "started");
    again.stop().await.unwrap();
    other.kill().await.unwrap();
}

#[tokio::test]
async fn a_guest_joins_a_living_owner_and_leaves_its_server_running() {
    let temp = scratch();
    let data = temp.path().join("data");
    let mut owner = spawn_owner(&data).await;
    let guest = PrivatePostgres::join(&data, &search()).await.unwrap();
    assert_eq!(query(guest.url(), "SELECT 'joined'").await, "joined");
    guest.stop().await.unwrap();

    let guest = PrivatePostgres::join(&data, &search()).await.unwrap();
    assert_eq!(query(guest.url(), "SELECT 'still there'").await, "still there");
    drop(guest);
    assert!(owner.try_wait().unwrap().is_none());
    kill_9(owner).await;
    PrivatePostgres::start_or_adopt(&data, &search()).await.unwrap().stop().await.unwrap();
}

#[tokio::test]
async fn a_visitor_without_an_owner_starts_a_server_for_its_own_time_only() {
    let temp = scratch();
    let data = temp.path().join("data");
    let visitor = PrivatePostgres::join(&data, &search()).await.unwrap();
    assert_eq!(query(visitor.url(), "SELECT 'visiting'").await, "visiting");
    visitor.stop().await.unwrap();
    assert!(!data.join("postgres/postmaster.pid").exists(), "the visitor's server still runs");
}

#[tokio::test]
async fn a_visitor_hides_no_death_and_leaves_the_server_for_the_next_owner() {
    let temp = scratch();
    let data = temp.path().join("data");
    kill_9(spawn_owner(&data).await).await;
    let left_behind = postmaster_pid(&data);
    let visitor = PrivatePostgres::join(&data, &search()).await.unwrap();
    assert_eq!(visitor.previous_owner(), PreviousOwner::Dead);
    assert_eq!(query(visitor.url(), "SELECT 'visiting'").await, "visiting");
    visitor.stop().await.unwrap();

    let owner = PrivatePostgres::start_or_adopt(&data, &search()).await.unwrap();
    assert_eq!(owner.previous_owner(), PreviousOwner::Dead);
    assert_eq!(postmaster_pid(&data), left_behind);
    owner.stop().await.unwrap();
}

#[tokio::test]
async fn a_failed_start_is_no_death() {
    let temp = scratch();
    let data = temp.path().join("data");
    let missing = [temp.path().to_owned()];
    let error = PrivatePostgres::start_or_adopt(&data, &missing).await.unwrap_err();
    assert!(matches!(error, PostgresError::BinariesMissing { .. }), "{error}");
    let owner = PrivatePostgres::start_or_adopt(&data, &search()).await.unwrap();
    assert_eq!(owner.previous_owner(), PreviousOwner::None);
    owner.stop().await.unwrap();
}

#[tokio::test]
async fn the_lock_file_names_the_owner_and_where_its_socket_is() {
    let temp = scratch();
    let data = temp.path().join("d".repeat(90)).join("data");
    let owner = PrivatePostgres::start_or_adopt(&data, &search()).await.unwrap();
    let text = lock_text(&data);
    let (pid, socket_dir) = text.trim_end().split_once('\n').unwrap();
    assert_eq!(pid, std::process::id().to_string());
    assert!(Path::new(socket_dir).join(".s.PGSQL.5432").exists(), "{socket_dir}");
    owner.stop().await.unwrap();
}
