//! The queue of several processes, and what a restart does to it.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use futures::future::join_all;
use slipstream_commands::ports::{Delivery, Job, JobQueue};
use slipstream_domain::GenerationId;
use slipstream_nats::{NatsQueue, NatsSettings};
use slipstream_testkit::{TestServer, servers};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{ACK_WAIT, process, queue, settings};

const SOON: Duration = Duration::from_secs(5);
/// Until a client has noticed that its server is back.
const RECONNECTED: Duration = Duration::from_secs(10);

fn job() -> Job {
    Job { generation: GenerationId::from_uuid(Uuid::new_v4()), attempt: 0 }
}

async fn next(queue: &NatsQueue) -> Box<dyn Delivery> {
    timeout(SOON, queue.next()).await.expect("a job is due").unwrap()
}

/// Publishes as the dispatcher does: again and again until it is taken.
async fn published(queue: &NatsQueue, job: Job) {
    let publishing = async {
        while queue.publish(job).await.is_err() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(RECONNECTED, publishing).await.expect("the queue is back");
}

#[tokio::test]
async fn several_processes_share_the_work_and_each_job_goes_to_one() {
    let settings = settings(&servers::nats_url());
    let workers = [queue(&settings).await, queue(&settings).await, queue(&settings).await];
    let jobs: HashSet<Job> = (0..60).map(|_| job()).collect();
    for job in &jobs {
        workers[0].publish(*job).await.unwrap();
    }
    let took = join_all(workers.iter().map(async |worker| {
        let mut mine = Vec::new();
        while let Ok(delivery) = timeout(Duration::from_secs(1), worker.next()).await {
            let delivery = delivery.unwrap();
            assert_eq!(delivery.deliveries(), 1);
            mine.push(delivery.job());
            delivery.ack().await.unwrap();
        }
        mine
    }));
    let took = took.await;
    assert!(took.iter().all(|mine| !mine.is_empty()), "one of them got nothing");
    assert_eq!(took.iter().map(Vec::len).sum::<usize>(), jobs.len());
    assert_eq!(took.into_iter().flatten().collect::<HashSet<_>>(), jobs);
}

#[tokio::test]
async fn a_repeat_from_another_process_is_dropped() {
    let settings = settings(&servers::nats_url());
    let (one, two, job) = (queue(&settings).await, queue(&settings).await, job());
    one.publish(job).await.unwrap();
    two.publish(job).await.unwrap();
    next(&one).await.ack().await.unwrap();
    assert!(timeout(ACK_WAIT * 2, two.next()).await.is_err());
}

#[tokio::test]
async fn what_a_draining_process_asked_for_and_does_not_take_goes_to_another_at_once() {
    let settings = settings(&servers::nats_url());
    let draining = process(&settings).await;
    let drain = CancellationToken::new();
    let leaving = draining.queue(drain.clone()).await.unwrap();
    let staying = queue(&settings).await;
    // It waits, gives up, and leaves its request behind.
    assert!(timeout(Duration::from_millis(200), leaving.next()).await.is_err());
    drain.cancel();
    let job = job();
    staying.publish(job).await.unwrap();
    let begin = Instant::now();
    assert_eq!(next(&staying).await.job(), job);
    assert!(begin.elapsed() < ACK_WAIT, "it lay with somebody who had left");
}

#[tokio::test]
async fn installations_on_one_server_do_not_see_each_others_jobs() {
    let url = servers::nats_url();
    let (ours, theirs) = (queue(&settings(&url)).await, queue(&settings(&url)).await);
    theirs.publish(job()).await.unwrap();
    assert!(timeout(Duration::from_secs(1), ours.next()).await.is_err());
}

#[tokio::test]
async fn settings_that_changed_are_taken_over_by_what_is_there() {
    let settings = settings(&servers::nats_url());
    let job = job();
    queue(&settings).await.publish(job).await.unwrap();
    let longer = NatsSettings { ack_wait: Duration::from_mins(1), in_hand: 7, ..settings };
    let later = queue(&longer).await;
    let delivery = next(&later).await;
    assert_eq!(delivery.job(), job);
    assert!(timeout(ACK_WAIT * 2, later.next()).await.is_err(), "the old, shorter time still holds");
}

#[tokio::test]
async fn jobs_outlive_a_crash_of_the_server_and_waiters_go_on_without_being_told() {
    let mut server = TestServer::nats();
    let settings = settings(&server.url());
    let (dispatcher, worker) = (queue(&settings).await, queue(&settings).await);
    let (held, waiting, later) = (job(), job(), job());
    dispatcher.publish(held).await.unwrap();
    let in_hand = next(&worker).await;
    dispatcher.publish(waiting).await.unwrap();
    server.kill();
    let begin = Instant::now();
    assert!(dispatcher.publish(later).await.is_err());
    assert!(begin.elapsed() < Duration::from_secs(6));
    server.restart();
    published(&dispatcher, later).await;
    let mut seen = HashSet::new();
    let working = async {
        while seen.len() < 3 {
            let Ok(delivery) = worker.next().await else { continue };
            seen.insert(delivery.job());
            delivery.ack().await.unwrap();
        }
    };
    timeout(RECONNECTED, working).await.expect("every job comes, that of a holder gone silent too");
    assert_eq!(seen, HashSet::from([held, waiting, later]));
    drop(in_hand);
}

#[tokio::test]
async fn a_server_that_has_forgotten_everything_is_set_up_again_in_passing() {
    let mut server = TestServer::nats();
    let settings = settings(&server.url());
    let (dispatcher, worker) = (queue(&settings).await, queue(&settings).await);
    let waiting = async {
        loop {
            if let Ok(delivery) = worker.next().await {
                return delivery;
            }
            sleep(Duration::from_millis(100)).await;
        }
    };
    let forgetting = async {
        sleep(Duration::from_millis(300)).await;
        server.kill();
        std::fs::remove_dir_all(server.folder().join("jetstream")).unwrap();
        server.restart();
        let job = job();
        published(&dispatcher, job).await;
        job
    };
    let (delivery, job) =
        timeout(RECONNECTED * 2, async { tokio::join!(waiting, forgetting) }).await.unwrap();
    assert_eq!(delivery.job(), job);
}
