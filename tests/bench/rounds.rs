//! The rounds: floor and agent by turns, so that what else the machine does meets both.

use std::time::{Duration, Instant};

use staticlet::docker::Docker;

use crate::events::Events;
use crate::floor::{ByWorkers, Floor, of_node, text};
use crate::site::Site;

/// What the rounds need.
pub struct Bench<'a> {
    pub site: &'a Site,
    pub events: &'a Events,
    pub floor: &'a Floor,
}

/// One pod, by the agent and by the floor.
#[derive(Default)]
pub struct Single {
    pub up: Vec<Duration>,
    pub again: Vec<Duration>,
    pub edit: Vec<Duration>,
    pub outage: Vec<Duration>,
    pub gone: Vec<Duration>,
    pub resident_mb: f64,
    pub floor_up: Vec<Duration>,
    pub floor_container: Vec<Duration>,
    pub floor_stop: Vec<Duration>,
    pub floor_gone: Vec<Duration>,
}

/// Many pods.
#[derive(Default)]
pub struct Many {
    pub agent: Vec<Duration>,
    pub floor: ByWorkers,
}

impl Many {
    /// The number of workers by which the floor was fastest, of those that had every round: a single one may be luck.
    pub fn best(&self) -> (usize, &[Duration]) {
        let most = self.floor.values().map(Vec::len).max().unwrap_or(0);
        let full = self.floor.iter().filter(|(_, times)| times.len() == most);
        let best = full.min_by_key(|(_, times)| crate::table::median(times));
        best.map_or((0, &[]), |(workers, times)| (*workers, times))
    }
}

/// One pod that is not measured: the agent imports its sandbox image, whose name is returned.
pub fn warm_up(site: &Site, events: &Events) -> Result<String, String> {
    let pods = vec!["warm".to_owned()];
    site.put(&pods, 0)?;
    events.wait("start", 1, |name| is_of(name, "app", &site.name))?;
    let list = Docker::new(site.socket(), None).list().map_err(text)?;
    let is_sandbox = |name: &String| is_of(name.trim_start_matches('/'), "POD", &site.name);
    let sandbox = list.iter().find(|one| one.names.iter().any(is_sandbox));
    let image = sandbox.map(|one| one.image.clone());
    site.take(&pods)?;
    events.wait("destroy", 2, |name| is_of_node(name, &site.name))?;
    std::thread::sleep(QUIET);
    image.ok_or_else(|| "the agent's pod has no sandbox".to_owned())
}

/// On a busy machine the best are not run again after this time; a run is to end within five minutes.
const MANY_TIME: Duration = Duration::from_secs(100);

/// Between two measurements: the agent looks once more after the last event.
const QUIET: Duration = Duration::from_millis(500);

fn is_of_node(name: &str, node: &str) -> bool {
    name.contains(&format!("-{node}_default_"))
}

fn is_of(name: &str, container: &str, node: &str) -> bool {
    is_of_node(name, node) && name.starts_with(&format!("k8s_{container}_"))
}

impl Bench<'_> {
    fn started(&self, count: usize) -> Result<Instant, String> {
        started(self.events, self.site, count)
    }

    /// One pod by the floor: up, stopped, gone.
    pub fn single_floor(&self, times: &mut Single) -> Result<(), String> {
        self.site.freeze();
        let ready = self.floor.ready(&self.site.manifest("one", 0))?;
        let (took, ids) = self.floor.up(&ready)?;
        std::thread::sleep(QUIET);
        let (stop, gone) = self.floor.down(&ids)?;
        times.floor_up.push(took.up);
        times.floor_container.push(took.container);
        times.floor_stop.push(stop);
        times.floor_gone.push(gone);
        self.site.thaw();
        Ok(())
    }

    /// One pod by the agent: up, killed and up again, edited, gone.
    pub fn single_agent(
        &self,
        times: &mut Single,
        resident_mb: impl Fn() -> f64,
    ) -> Result<(), String> {
        let (site, events) = (self.site, self.events);
        let pods = vec!["one".to_owned()];
        let of_node = |name: &str| is_of_node(name, &site.name);

        events.clear();
        let began = site.put(&pods, 0)?;
        times.up.push(self.started(1)? - began);
        std::thread::sleep(QUIET);
        times.resident_mb = resident_mb();

        events.clear();
        let began = kill_app(site, "one")?;
        times.again.push(self.started(1)? - began);
        std::thread::sleep(QUIET);

        events.clear();
        let began = site.put(&pods, 1)?;
        let ended = events.wait("die", 1, of_node)?;
        let started = self.started(1)?;
        times.edit.push(started - began);
        times.outage.push(started - ended);
        std::thread::sleep(QUIET);

        let left = agent_ids(site).len();
        events.clear();
        let began = site.take(&pods)?;
        times
            .gone
            .push(events.wait("destroy", left, of_node)? - began);
        std::thread::sleep(QUIET);
        Ok(())
    }

    /// Many pods: every number of workers once, the best two again, the agent in between. The agent's last pods stay.
    pub fn many(&self, count: usize) -> Result<Many, String> {
        let (mut many, began) = (Many::default(), Instant::now());
        for pair in [[2, 4], [3, 6], [8, 1]] {
            if !many.agent.is_empty() {
                self.away(count)?;
            }
            for workers in pair {
                self.many_floor(count, workers, &mut many)?;
            }
            self.many_agent(count, &mut many)?;
        }
        let mut order: Vec<usize> = many.floor.keys().copied().collect();
        order.sort_by_key(|workers| many.floor.get(workers).map(|times| times[0]));
        // The floor's best two twice more. The agent's last pods are still there after its third round.
        for workers in order.into_iter().take(2) {
            if began.elapsed() > MANY_TIME {
                break;
            }
            self.away(count)?;
            for _ in 0..2 {
                self.many_floor(count, workers, &mut many)?;
            }
            self.many_agent(count, &mut many)?;
        }
        std::thread::sleep(QUIET * 4);
        Ok(many)
    }

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|n| format!("p{n}")).collect()
    }

    fn many_agent(&self, count: usize, many: &mut Many) -> Result<(), String> {
        self.events.clear();
        let began = self.site.put(&Self::names(count), 0)?;
        many.agent.push(self.started(count)? - began);
        Ok(())
    }

    fn away(&self, count: usize) -> Result<(), String> {
        std::thread::sleep(QUIET);
        self.site.take(&Self::names(count))?;
        let until = Instant::now() + Duration::from_secs(60);
        while !agent_ids(self.site).is_empty() {
            if Instant::now() > until {
                return Err("pods without a manifest are still there after 60 s".into());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        std::thread::sleep(QUIET);
        Ok(())
    }

    fn many_floor(&self, count: usize, workers: usize, many: &mut Many) -> Result<(), String> {
        self.site.freeze();
        let manifests = Self::names(count);
        let pods = manifests
            .iter()
            .map(|name| self.floor.ready(&self.site.manifest(name, 0)))
            .collect::<Result<Vec<_>, _>>()?;
        let took = self.floor.up_many(&pods, workers)?;
        many.floor.entry(workers).or_default().push(took);
        self.site.thaw();
        Ok(())
    }
}

/// The agent's containers.
fn agent_ids(site: &Site) -> Vec<String> {
    of_node(site.socket(), &site.name)
}

/// Kills the container of one of the agent's pods; when. A second kill of the same pod is held back by the agent.
pub fn kill_app(site: &Site, pod: &str) -> Result<Instant, String> {
    let docker = Docker::new(site.socket(), None);
    let list = docker.list().map_err(text)?;
    let begin = format!("/k8s_app_{pod}-{}_", site.name);
    let is_app = |name: &String| name.starts_with(&begin);
    let mut runs = list.iter().filter(|one| one.state == "running");
    let app = runs.find(|one| one.names.iter().any(is_app));
    let app = app.ok_or("the container to kill does not run")?;
    let began = Instant::now();
    docker.kill(&app.id, "SIGKILL").map_err(text)?;
    Ok(began)
}

/// When so many containers of the agent's pods have started since the events were cleared.
pub fn started(events: &Events, site: &Site, count: usize) -> Result<Instant, String> {
    events.wait("start", count, |name| is_of(name, "app", &site.name))
}
