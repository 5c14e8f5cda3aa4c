#![allow(warnings, clippy::all)]
use slipstream_eventlog::*;
use sqlx::postgres::PgPoolOptions;
use std::time::{Duration, Instant};
use std::sync::{Arc, atomic::*};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;
fn ev() -> NewEvent { NewEvent { event_type: "ChunksRecorded", schema_version: 1, data: format!(r#"{{"epoch":1,"fromSeq":1,"toSeq":20,"nonce":"{}","parts":[{{"part":"text","startOffset":0,"ends":[4,9,12]}}]}}"#, Uuid::new_v4()), sealed: None } }
async fn round(logs: &[EventLog], writers: usize, events: usize, secs: f64, long: bool) -> (f64, f64, f64) {
    let stop = Arc::new(AtomicBool::new(false));
    let mut hs = vec![];
    for w in 0..writers {
        let log = logs[w % logs.len()].clone(); let stop = stop.clone();
        hs.push(tokio::spawn(async move {
            let mut lat = vec![]; let mut s = Uuid::now_v7(); let mut v = 0i64;
            while !stop.load(Ordering::Relaxed) {
                if !long && v >= 100 { s = Uuid::now_v7(); v = 0; }
                let a = Append { streams: vec![StreamAppend { stream: StreamId::from_uuid(s), category: Category(3), owner: None, correlation: CorrelationId::from_uuid(s), causation: None, expected: Expected::Exact(Version::new(v)), events: (0..events).map(|_| ev()).collect(), close: false }], command_id: CommandId::from_uuid(Uuid::new_v4()), guards: vec![] };
                let t = Instant::now(); log.append(a).await.unwrap(); lat.push(t.elapsed()); v += events as i64;
            } lat }));
    }
    let t = Instant::now();
    tokio::time::sleep(Duration::from_secs_f64(secs)).await; stop.store(true, Ordering::Relaxed);
    let mut all = vec![]; for h in hs { all.extend(h.await.unwrap()); }
    let el = t.elapsed().as_secs_f64(); all.sort();
    (all.len() as f64 / el, all[all.len()/2].as_secs_f64()*1e3, all[all.len()*99/100].as_secs_f64()*1e3)
}
fn cpu(pid: &str) -> f64 { let t = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap(); let f: Vec<&str> = t.rsplit(')').next().unwrap().split_whitespace().collect(); (f[11].parse::<f64>().unwrap() + f[12].parse::<f64>().unwrap()) / 100.0 }
#[tokio::main(worker_threads = 2)]
async fn main() {
    let url = std::env::args().nth(1).unwrap(); let mode = std::env::args().nth(2).unwrap();
    let pool = PgPoolOptions::new().max_connections(10).connect(&url).await.unwrap();
    migrate(&pool).await.unwrap();
    let tasks = TaskTracker::new(); let drain = CancellationToken::new();
    let start = || EventLog::start(pool.clone(), LogOptions::default(), &tasks, drain.clone());
    let log = start();
    match &*mode {
        "w" => { let w: usize = std::env::args().nth(3).unwrap().parse().unwrap(); let e: usize = std::env::args().nth(4).map_or(1, |x| x.parse().unwrap()); let n: usize = std::env::args().nth(5).map_or(1, |x| x.parse().unwrap()); let long = std::env::args().nth(6).is_some();
            let logs: Vec<_> = (0..n).map(|i| if i == 0 { log.clone() } else { start() }).collect();
            let h0 = log.head().await.unwrap();
            let c0 = cpu("self"); let r = round(&logs, w, e, 5.0, long).await; let c1 = cpu("self");
            let pids: Vec<i32> = sqlx::query_scalar("select pid from pg_stat_activity where application_name = 'slipstream append'").fetch_all(&pool).await.unwrap(); let b: f64 = pids.iter().map(|p| cpu(&p.to_string())).sum(); let h1 = log.head().await.unwrap();
            let ne = (h1.position.get()-h0.position.get()) as f64; println!("writers {w} events {e} logs {n}: {:.0} appends/s p50 {:.2} p99 {:.2} ms, cpu us/event client {:.1} backend {:.1} {:.1} events a batch", r.0, r.1, r.2, (c1-c0)*1e6/ne, b*1e6/ne, (h1.position.get()-h0.position.get()) as f64 / (h1.batch_no-h0.batch_no) as f64); }
        "r" => { let page: usize = std::env::args().nth(3).unwrap().parse().unwrap(); let mut after = Position::START; let t = Instant::now(); let mut n = 0; 
            loop { let p = log.feed(after, page).await.unwrap(); if p.is_empty() { break; } n += p.len(); after = p.last().unwrap().position; }
            println!("feed {n} events {:.0}/s", n as f64 / t.elapsed().as_secs_f64()); }
        "v" => { let t = Instant::now(); let r = log.verify(None, |_| {}).await.unwrap(); println!("verify {} events {} faults {:.0}/s", r.events, r.faults.len(), r.events as f64 / t.elapsed().as_secs_f64()); }
        _ => {}
    }
    drain.cancel(); tasks.close(); tasks.wait().await;
}
