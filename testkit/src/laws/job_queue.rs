//! The laws of [`JobQueue`].

use std::time::Duration;

use slipstream_commands::ports::{Delivery, Job, JobQueue};
use slipstream_domain::GenerationId;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

/// Long enough for a queue to answer that has something to deliver, short beside its times.
const SOON: Duration = Duration::from_secs(2);

/// A queue's times, so that one on a real server can be checked with shorter ones than it promises.
#[derive(Debug, Clone, Copy)]
pub struct QueueTimes {
    /// How long a delivery stays somebody's without a sign of life.
    pub ack_wait: Duration,
    /// How long a message id is remembered.
    pub remembered: Duration,
}

impl QueueTimes {
    /// Those of the port's docs.
    pub const PROMISED: Self = Self { ack_wait: Duration::from_secs(30), remembered: Duration::from_mins(2) };
}

/// Checks every law on fresh queues of `make`. Takes about eight times `ack_wait` and one `remembered` of Tokio's time;
/// pause it for a queue that lives in memory.
///
/// # Panics
/// When a law is broken.
pub async fn job_queue<Q: JobQueue>(times: QueueTimes, make: impl AsyncFn() -> Q) {
    a_published_job_is_delivered_until_it_is_acknowledged(times, &make().await).await;
    jobs_come_in_the_order_of_publishing(&make().await).await;
    a_repeat_of_a_message_id_is_dropped(times, &make().await).await;
    a_silent_delivery_comes_again_and_one_kept_alive_does_not(times, &make().await).await;
    what_is_given_back_comes_again_after_its_delay(times, &make().await).await;
    a_waiter_is_woken_by_what_is_published(&make().await).await;
    a_wait_that_is_given_up_loses_no_job(&make().await).await;
    waiters_share_the_work_and_each_job_goes_to_one(&make().await).await;
}

fn job() -> Job {
    Job { generation: GenerationId::from_uuid(Uuid::new_v4()), attempt: 0 }
}

async fn published<Q: JobQueue>(queue: &Q) -> Job {
    let job = job();
    queue.publish(job).await.expect("a job is taken");
    job
}

async fn next<Q: JobQueue>(queue: &Q) -> Box<dyn Delivery> {
    timeout(SOON, queue.next()).await.expect("a job is due").expect("the queue answers")
}

async fn nothing_within<Q: JobQueue>(queue: &Q, time: Duration) {
    assert!(timeout(time, queue.next()).await.is_err(), "a job was delivered that is not due");
}

async fn a_published_job_is_delivered_until_it_is_acknowledged<Q: JobQueue>(times: QueueTimes, queue: &Q) {
    let job = published(queue).await;
    let delivery = next(queue).await;
    assert_eq!((delivery.job(), delivery.deliveries()), (job, 1));
    delivery.ack().await.expect("an acknowledgement is taken");
    nothing_within(queue, times.ack_wait * 2).await;
}

async fn jobs_come_in_the_order_of_publishing<Q: JobQueue>(queue: &Q) {
    let jobs = [published(queue).await, published(queue).await, published(queue).await];
    for job in jobs {
        let delivery = next(queue).await;
        assert_eq!(delivery.job(), job);
        delivery.ack().await.expect("an acknowledgement is taken");
    }
}

async fn a_repeat_of_a_message_id_is_dropped<Q: JobQueue>(times: QueueTimes, queue: &Q) {
    let job = published(queue).await;
    queue.publish(job).await.expect("a repeat is no error");
    next(queue).await.ack().await.expect("an acknowledgement is taken");
    tokio::time::sleep(times.remembered.mul_f32(0.6)).await;
    queue.publish(job).await.expect("a repeat is no error");
    nothing_within(queue, times.remembered / 10).await;
    let again = Job { attempt: 1, ..job };
    queue.publish(again).await.expect("another attempt is another message");
    assert_eq!(next(queue).await.job(), again);
}

async fn a_silent_delivery_comes_again_and_one_kept_alive_does_not<Q: JobQueue>(
    times: QueueTimes,
    queue: &Q,
) {
    let job = published(queue).await;
    let kept = next(queue).await;
    for _ in 0..6 {
        nothing_within(queue, times.ack_wait / 3).await;
        kept.in_progress().await.expect("a sign of life is taken");
    }
    let silent = Instant::now();
    let again = timeout(times.ack_wait * 2, queue.next()).await.expect("it comes again");
    let again = again.expect("the queue answers");
    assert!(silent.elapsed() >= times.ack_wait.mul_f32(0.9), "it came again while it was somebody's");
    assert_eq!((again.job(), again.deliveries()), (job, 2));
    again.ack().await.expect("an acknowledgement is taken");
    nothing_within(queue, times.ack_wait * 2).await;
}

async fn what_is_given_back_comes_again_after_its_delay<Q: JobQueue>(times: QueueTimes, queue: &Q) {
    let job = published(queue).await;
    next(queue).await.nak(times.ack_wait / 3).await.expect("it is taken back");
    nothing_within(queue, times.ack_wait.mul_f32(0.3)).await;
    let again = next(queue).await;
    assert_eq!((again.job(), again.deliveries()), (job, 2));
    again.nak(Duration::ZERO).await.expect("it is taken back");
    assert_eq!(next(queue).await.deliveries(), 3);
}

async fn a_waiter_is_woken_by_what_is_published<Q: JobQueue>(queue: &Q) {
    let waiting = timeout(SOON, queue.next());
    let publishing = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        published(queue).await
    };
    let (delivery, job) = tokio::join!(waiting, publishing);
    let delivery = delivery.expect("the waiter is woken").expect("the queue answers");
    assert_eq!(delivery.job(), job);
}

async fn a_wait_that_is_given_up_loses_no_job<Q: JobQueue>(queue: &Q) {
    for _ in 0..50 {
        let job = job();
        // Given up at about the moment the job arrives, a little before or after.
        let waiting = timeout(Duration::from_millis(1), queue.next());
        let (taken, ()) = tokio::join!(waiting, async { queue.publish(job).await.expect("a job is taken") });
        let delivery = match taken {
            Ok(delivery) => delivery.expect("the queue answers"),
            Err(_) => next(queue).await,
        };
        assert_eq!(delivery.job(), job);
        delivery.ack().await.expect("an acknowledgement is taken");
    }
}

async fn waiters_share_the_work_and_each_job_goes_to_one<Q: JobQueue>(queue: &Q) {
    let mut published_jobs = Vec::new();
    let waiting = futures::future::join_all((0..4).map(|_| next(queue)));
    let publishing = async {
        for _ in 0..4 {
            published_jobs.push(published(queue).await);
        }
    };
    let (deliveries, ()) = tokio::join!(waiting, publishing);
    let mut delivered: Vec<_> = deliveries.iter().map(|delivery| delivery.job().generation).collect();
    delivered.sort_unstable();
    let mut expected: Vec<_> = published_jobs.iter().map(|job| job.generation).collect();
    expected.sort_unstable();
    assert_eq!(delivered, expected);
    for delivery in deliveries {
        delivery.ack().await.expect("an acknowledgement is taken");
    }
}
