//! The pod's name for itself and its way to other names: hostname, `/etc/hosts`, `/etc/resolv.conf`.

use std::fmt::Write;

use k8s_openapi::api::core::v1::PodSpec;

use super::pod_spec;
use crate::pod::{Problem, ValidPod};
use crate::state::Node;

/// The kernel takes 64 bytes; the kubelet cuts a derived name to one less.
const HOSTNAME_BYTES_MAX: usize = 63;
const KERNEL_HOSTNAME_BYTES_MAX: usize = 64;

/// glibc reads no more servers than that.
const SERVERS_MAX: usize = 3;

/// Limits of the API for search lists (`pkg/apis/core/validation`).
const SEARCHES_MAX: usize = 32;
const SEARCH_BYTES_MAX: usize = 253;
const SEARCH_LINE_BYTES_MAX: usize = 2048;

/// A pod's `/etc/resolv.conf`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolver {
    /// The file's text; `None` leaves the file as Docker wrote it.
    pub text: Option<String>,
    /// What had to be left out or done otherwise, for a person.
    pub remarks: Vec<String>,
}

/// The pod's hostname and, with a subdomain, its domain.
struct Names {
    host: String,
    domain: String,
}

/// The kernel's hostname in the pod's UTS namespace; empty for a pod on the host's network, which has the host's.
///
/// # Errors
/// A name that is too long for the kernel, or empty once cut.
pub fn hostname(pod: &ValidPod, node: &Node) -> Result<String, Problem> {
    let spec = pod_spec(pod)?;
    if spec.host_network == Some(true) {
        return Ok(String::new());
    }
    let Names { host, domain } = names(pod, spec, node)?;
    if spec.set_hostname_as_fqdn != Some(true) || domain.is_empty() {
        return Ok(host);
    }
    let full = format!("{host}.{domain}");
    if full.len() > KERNEL_HOSTNAME_BYTES_MAX {
        return Err(Problem::new(
            "spec.setHostnameAsFQDN",
            format!("{full:?} is longer than {KERNEL_HOSTNAME_BYTES_MAX} characters"),
        ));
    }
    Ok(full)
}

fn names(pod: &ValidPod, spec: &PodSpec, node: &Node) -> Result<Names, Problem> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    if let Some(host) = given(&spec.hostname_override) {
        return Ok(Names {
            host,
            domain: String::new(),
        });
    }
    let mut host = given(&spec.hostname).unwrap_or_else(|| pod.key.name.clone());
    if host.len() > HOSTNAME_BYTES_MAX {
        let cut = host.get(..HOSTNAME_BYTES_MAX).unwrap_or_default();
        host = cut.trim_end_matches(['-', '.']).to_owned();
    }
    if host.is_empty() {
        return Err(Problem::new("spec.hostname", "is empty once cut to length"));
    }
    let domain = match given(&spec.subdomain) {
        Some(subdomain) => {
            let domain = format!(
                "{subdomain}.{}.svc.{}",
                pod.key.namespace, node.cluster_domain
            );
            // A kubelet without a cluster domain leaves a dot at the end, also in the kernel's hostname.
            domain.trim_end_matches('.').to_owned()
        }
        None => String::new(),
    };
    Ok(Names { host, domain })
}

/// The hosts file of a pod; written anew before every container start. `node_hosts` is the node's own file, used for
/// host-network pods only. `None`: the pod has no address yet, leave Docker's file alone.
///
/// # Errors
/// As [`hostname`].
pub fn hosts_file(
    pod: &ValidPod,
    node: &Node,
    pod_ips: &[String],
    node_hosts: &str,
) -> Result<Option<String>, Problem> {
    let spec = pod_spec(pod)?;
    let mut text = if spec.host_network == Some(true) {
        format!("# Kubernetes-managed hosts file (host network).\n{node_hosts}")
    } else if pod_ips.is_empty() {
        return Ok(None);
    } else {
        let Names { host, domain } = names(pod, spec, node)?;
        let mut text = String::from(
            "# Kubernetes-managed hosts file.\n\
             127.0.0.1\tlocalhost\n\
             ::1\tlocalhost ip6-localhost ip6-loopback\n\
             fe00::0\tip6-localnet\n\
             fe00::0\tip6-mcastprefix\n\
             fe00::1\tip6-allnodes\n\
             fe00::2\tip6-allrouters\n",
        );
        for ip in pod_ips {
            let _ = if domain.is_empty() {
                writeln!(text, "{ip}\t{host}")
            } else {
                writeln!(text, "{ip}\t{host}.{domain}\t{host}")
            };
        }
        text
    };
    let aliases = spec.host_aliases.as_deref().unwrap_or_default();
    if !aliases.is_empty() {
        text.push_str("\n# Entries added by HostAliases.\n");
    }
    for alias in aliases {
        let names = alias.hostnames.as_deref().unwrap_or_default();
        let _ = writeln!(text, "{}\t{}", alias.ip, names.join("\t"));
    }
    Ok(Some(text))
}

/// The three lists of a resolv.conf.
#[derive(Default)]
struct Lists {
    servers: Vec<String>,
    searches: Vec<String>,
    options: Vec<String>,
}

/// The pod's resolv.conf, by its `dnsPolicy` and `dnsConfig`. `node_file` is the text of [`Node::resolv_conf`].
///
/// # Errors
/// A pod without a spec.
pub fn resolv_conf(pod: &ValidPod, node: &Node, node_file: &str) -> Result<Resolver, Problem> {
    let spec = pod_spec(pod)?;
    let mut remarks = Vec::new();
    let host_network = spec.host_network == Some(true);
    let from_cluster = match spec.dns_policy.as_deref() {
        Some("None") => None,
        Some("Default") => Some(false),
        Some("ClusterFirstWithHostNet") => Some(true),
        _ => Some(!host_network),
    };
    let mut lists = match from_cluster {
        None => Lists::default(),
        Some(true) if !node.cluster_dns.is_empty() => cluster_lists(pod, node, node_file),
        // A kubelet warns of the missing cluster DNS; on a node without a cluster that would be noise.
        Some(_) => node_lists(node, node_file),
    };
    if from_cluster.is_some() && !host_network && drop_unreachable(&mut lists, node) {
        if lists.servers.is_empty() && spec.dns_config.is_none() {
            return Ok(Resolver::default());
        }
        remarks.push(format!(
            "nameservers on the loopback address in {} cannot be reached from the pod's network and are left out",
            node.resolv_conf
        ));
    }
    if let Some(config) = &spec.dns_config {
        lists
            .servers
            .extend(config.nameservers.iter().flatten().cloned());
        lists
            .searches
            .extend(config.searches.iter().flatten().cloned());
        for option in config.options.iter().flatten() {
            let name = option.name.as_deref().unwrap_or_default();
            set_option(
                &mut lists.options,
                match option.value.as_deref().unwrap_or_default() {
                    "" => name.to_owned(),
                    value => format!("{name}:{value}"),
                },
            );
        }
    }
    keep_first(&mut lists.servers);
    keep_first(&mut lists.searches);
    cut(&mut lists, &mut remarks);
    let mut text = String::new();
    for server in &lists.servers {
        let _ = writeln!(text, "nameserver {server}");
    }
    for (word, list) in [("search", &lists.searches), ("options", &lists.options)] {
        if !list.is_empty() {
            let _ = writeln!(text, "{word} {}", list.join(" "));
        }
    }
    Ok(Resolver {
        text: (!text.is_empty()).then_some(text),
        remarks,
    })
}

fn cluster_lists(pod: &ValidPod, node: &Node, node_file: &str) -> Lists {
    let mut searches = Vec::new();
    let domain = node.cluster_domain.trim_end_matches('.');
    if !domain.is_empty() {
        searches.push(format!("{}.svc.{domain}", pod.key.namespace));
        searches.push(format!("svc.{domain}"));
        searches.push(domain.to_owned());
    }
    searches.extend(node_lists(node, node_file).searches);
    Lists {
        servers: node.cluster_dns.clone(),
        searches,
        options: vec!["ndots:5".into()],
    }
}

fn node_lists(node: &Node, node_file: &str) -> Lists {
    if node.resolv_conf.is_empty() {
        let server = if node.ip.contains(':') {
            "::1"
        } else {
            "127.0.0.1"
        };
        return Lists {
            servers: vec![server.into()],
            searches: vec![".".into()],
            options: Vec::new(),
        };
    }
    let mut lists = Lists::default();
    for line in node_file.lines() {
        let line = line.trim();
        if line.starts_with('#') {
            continue;
        }
        let mut words = line.split_whitespace();
        match words.next() {
            // A bare `nameserver` fails the whole pod in a kubelet; glibc skips it, and so does this.
            Some("nameserver") => lists.servers.extend(words.next().map(str::to_owned)),
            Some("search") => {
                lists.searches = words
                    .filter(|&word| word != ".")
                    .map(|word| word.strip_suffix('.').unwrap_or(word).to_owned())
                    .collect();
            }
            Some("options") => {
                for word in words {
                    set_option(&mut lists.options, word.to_owned());
                }
            }
            Some(_) | None => {}
        }
    }
    lists
}

/// Drops the node's resolvers that listen on its loopback address (systemd-resolved, dnsmasq), which in the pod's network
/// is another one; a kubelet copies them. With no server left Docker's own file serves better: dockerd looks for the file
/// that systemd-resolved keeps for this purpose. Says whether there were any.
fn drop_unreachable(lists: &mut Lists, node: &Node) -> bool {
    let before = lists.servers.len();
    if !node.resolv_conf.is_empty() {
        lists
            .servers
            .retain(|server| !server.starts_with("127.") && server != "::1");
    }
    lists.servers.len() < before
}

/// Adds an option, or replaces the one of the same name in its place.
fn set_option(options: &mut Vec<String>, option: String) {
    let name = |text: &str| text.split(':').next().unwrap_or_default().to_owned();
    match options.iter_mut().find(|o| name(o) == name(&option)) {
        Some(old) => *old = option,
        None => options.push(option),
    }
}

fn keep_first(list: &mut Vec<String>) {
    let mut seen = std::collections::BTreeSet::new();
    list.retain(|entry| seen.insert(entry.clone()));
}

fn cut(lists: &mut Lists, remarks: &mut Vec<String>) {
    if lists.servers.len() > SERVERS_MAX {
        lists.servers.truncate(SERVERS_MAX);
        remarks.push(format!(
            "only {SERVERS_MAX} nameservers can be used: {}",
            lists.servers.join(" ")
        ));
    }
    let before = lists.searches.len();
    lists.searches.truncate(SEARCHES_MAX);
    lists
        .searches
        .retain(|search| search.len() <= SEARCH_BYTES_MAX);
    while lists.searches.join(" ").len() > SEARCH_LINE_BYTES_MAX {
        lists.searches.pop();
    }
    if lists.searches.len() < before {
        remarks.push(format!(
            "the search list is over the limit of {SEARCHES_MAX} entries, {SEARCH_BYTES_MAX} characters each and \
             {SEARCH_LINE_BYTES_MAX} in all; {} of {before} are used",
            lists.searches.len()
        ));
    }
}
