//! Single keys of a service.

use super::*;

/// An absolute path that may name the service.
pub(super) fn path_of<'a>(
    cx: &mut Cx<'a>,
    node: &Node<'a>,
    key: &str,
    service: &ServiceWords<'_>,
) -> Option<Stated<String>> {
    let text = service_text(cx, node, key)?;
    let path = cx.checked(node.span, words::path(&fill(&text.value, service)))?;
    Some(Stated::new(path, text.at))
}

/// The timer of a timer job: the one it names, else the unit's namesake.
pub(super) fn timer<'a>(cx: &mut Cx<'a>, draft: &Draft<'_, 'a>) -> Option<Stated<String>> {
    let is_timed = draft.kind.value == Kind::TimerJob;
    if let (Some(entry), false) = (draft.fields.get("timer"), is_timed) {
        let message = format!("{} has a timer but is not a timer job", draft.name);
        cx.error(entry.at, message, "write `kind = \"timer-job\"`, or remove the timer");
        return None;
    }
    let named = draft.fields.opt(cx, "timer", |cx, node, key| {
        let text = service_text(cx, node, key)?;
        let unit = fill(&text.value, &draft.words()).into_owned();
        cx.checked(node.span, words::unit(&unit, Some("timer"))).map(|unit| Stated::new(unit, text.at))
    });
    let stem = draft.unit.value.strip_suffix(".service").unwrap_or(&draft.unit.value);
    let namesake = || Stated::new(format!("{stem}.timer"), draft.unit.at.clone());
    is_timed.then(|| named.unwrap_or_else(namesake))
}

/// `activation = "socket"`: what starts it in place of the boot.
pub(super) fn activation<'a>(cx: &mut Cx<'a>, draft: &Draft<'_, 'a>) -> Option<Stated<Activation>> {
    let entry = draft.fields.get("activation")?;
    let way = draft.fields.opt(cx, "activation", |cx, node, key| {
        let text = cx.text(node, key)?;
        let known = Activation::ALL.iter().find(|(word, _)| *word == text.value);
        if known.is_none() {
            let message = format!("nothing called {:?} starts a service", text.value);
            cx.error(node.span, message, "write \"socket\", \"timer\", \"path\" or \"bus\"");
        }
        known.map(|(_, way)| Stated::new(*way, text.at))
    });
    if !draft.kind.value.runs() {
        let message =
            format!("{} is not started at boot anyway: it is a {}", draft.name, draft.kind.value.word());
        cx.error(entry.at, message, "remove `activation`, or make it a kind that runs");
        return None;
    }
    way
}

/// `succeeded_within = "26h"`: how old the last success of what a timer or another unit starts may be.
pub(super) fn succeeded_within<'a>(cx: &mut Cx<'a>, draft: &Draft<'_, 'a>) -> Option<Stated<u64>> {
    let entry = draft.fields.get("succeeded_within")?;
    let within =
        draft.fields.opt(cx, "succeeded_within", |cx, node, key| cx.word(node, key, words::seconds))?;
    // systemd forgets the runs of a unit that nothing holds loaded.
    let way = draft.fields.get("activation").map(|entry| &entry.node.value);
    let is_held = draft.kind.value == Kind::TimerJob
        || matches!(way, Some(Value::Text(way)) if ["socket", "timer", "path"].contains(&&**way));
    if !is_held {
        let message =
            format!("nothing that systemd keeps starts {}, so its last run is forgotten", draft.name);
        cx.error(entry.at, message, "remove `succeeded_within`, or write `kind = \"timer-job\"`");
        return None;
    }
    Some(within)
}

/// `ports = ["127.0.0.1:8000", "443"]`: where it listens.
pub(super) fn ports<'a>(cx: &mut Cx<'a>, draft: &Draft<'_, 'a>) -> Option<Vec<Stated<Port>>> {
    let entry = draft.fields.get("ports")?;
    if !draft.kind.value.runs() {
        let message =
            format!("{} does not run all the time: it is a {}", draft.name, draft.kind.value.word());
        cx.error(entry.at, message, "remove `ports`, or make it a kind that runs");
    }
    Some(draft.fields.list(cx, "ports", port))
}

/// `"127.0.0.1:8000"`
fn port<'a>(cx: &mut Cx<'a>, node: &Node<'a>, key: &str) -> Option<Stated<Port>> {
    let text = cx.text(node, key)?;
    let port = Port::parse(&text.value);
    if port.is_none() {
        let message = format!("{:?} is neither a port nor an address with one", text.value);
        cx.error(
            node.span,
            message,
            "write \"8000\" for every address, \"127.0.0.1:8000\" or \"[::1]:8000\"",
        );
    }
    port.map(|port| Stated::new(port, text.at))
}

/// Of two services, only one can listen at a port of an address.
pub(super) fn clashes(cx: &mut Cx<'_>, services: &[Service]) {
    let mut taken: BTreeMap<u16, Vec<(&Service, &Stated<Port>)>> = BTreeMap::new();
    for service in services {
        for port in service.ports.iter().flatten() {
            let others = taken.entry(port.value.number).or_default();
            let clash = |other: &Port| other.covers(&port.value) || port.value.covers(other);
            if let Some((other, at)) = others.iter().find(|(_, other)| clash(&other.value)) {
                let both = match *other.name == *service.name {
                    true => format!("{} is to listen at {} twice", service.name, port.value),
                    false => {
                        format!("{} and {} are both to listen at {}", other.name, service.name, port.value)
                    }
                };
                cx.error_at(
                    &port.at,
                    format!("{both}, the first at {}", at.at),
                    "give one of them another port",
                );
            }
            others.push((service, port));
        }
    }
}

/// `[services.NAME.provision]`
pub(super) fn provision<'a>(
    cx: &mut Cx<'a>,
    draft: &Draft<'_, 'a>,
    nothing: &Arc<ServiceProvision>,
) -> Arc<ServiceProvision> {
    let Some(entry) = draft.fields.get("provision") else { return nothing.clone() };
    let keys = &schema::SERVICE_PROVISION;
    let Some(fields) = cx.fields(&entry.node, entry.at, &draft.name, keys) else { return nothing.clone() };
    let start = command(cx, draft, &fields, "start");
    Arc::new(ServiceProvision { start, ..super::super::provision::of_service(cx, &fields) })
}

/// `health` of the service; contracts before 1.1 have it in its provision.
pub(super) fn health<'a>(cx: &mut Cx<'a>, draft: &Draft<'_, 'a>) -> Option<Arc<Health>> {
    let own = super::super::provision::health(cx, &draft.fields);
    let provision = match draft.fields.get("provision").map(|entry| &entry.node.value) {
        Some(Value::Table(table)) => table.get("health"),
        _ => None,
    };
    let Some(entry) = provision else { return own.map(Arc::new) };
    if own.is_some() {
        let message = format!("{} says twice when it is healthy", draft.name);
        cx.error(entry.at, message, "keep `health` of the service, and remove it from its provision");
        return own.map(Arc::new);
    }
    super::super::provision::health_of(cx, entry).map(Arc::new)
}

/// `command = ["program", "argument"]`
pub(super) fn command<'a>(
    cx: &mut Cx<'a>,
    draft: &Draft<'_, 'a>,
    fields: &Fields<'_, 'a>,
    key: &'static str,
) -> Option<CommandDemand> {
    let is_demand = key == "command";
    let exact = if is_demand { fields.opt(cx, "exact", Cx::boolean) } else { None };
    let Some(entry) = fields.get(key) else {
        if let Some(exact) = exact {
            cx.error_at(&exact.at, "`exact` without a `command` means nothing", "add the command");
        }
        return None;
    };
    let words = fields.list(cx, key, |cx, item, key| match &item.value {
        Value::Text(text) if text.is_empty() => Some(String::new()),
        _ => service_text(cx, item, key).map(|text| fill(&text.value, &draft.words()).into_owned()),
    });
    let Some(program) = words.first() else {
        if matches!(&entry.node.value, Value::List(items) if items.is_empty()) {
            cx.error(entry.node.span, format!("`{key}` is empty"), "name the program, then its arguments");
        }
        return None;
    };
    let at_home = draft.fields.get("venv").is_some();
    if program.is_empty() || program.contains('/') && !program.starts_with('/') {
        let message = format!("{program:?} cannot be a program");
        cx.error(entry.node.span, message, "write the name of a program of the venv, or an absolute path");
    } else if !program.starts_with('/') && !at_home && draft.kind.value != Kind::Python {
        let message = format!("{program:?} is relative, and {} has no venv to look in", draft.name);
        cx.error(
            entry.node.span,
            message,
            format!("write the absolute path, such as \"/usr/bin/{program}\""),
        );
    }
    if let Some(index) = words.iter().position(|word| ignored::unknown_specifier(word).is_some()) {
        let at = cx.items(&entry.node, key).get(index).map_or(entry.node.span, |item| item.span);
        let what = ignored::unknown_specifier(&words[index]).unwrap_or_default();
        let message = format!("systemd knows no specifier {what}, and would refuse the unit");
        cx.error(at, message, "write `%%` for a percent sign");
    }
    let exact = exact.is_some_and(|exact| exact.value);
    Some(CommandDemand { words, exact, at: cx.at(entry.at) })
}

/// An env file: its path, or a table with its path and what is special about it.
pub(in crate::contract::read) fn env_file<'a>(cx: &mut Cx<'a>, node: &Node<'a>) -> Option<EnvFileTemplate> {
    let at = cx.at(node.span);
    let mut demand = EnvFileDemand {
        path: String::new(),
        secret: false,
        owner: None,
        group: None,
        mode: None,
        overrides: Vec::new(),
        optional: false,
        at,
    };
    let path_node = match &node.value {
        Value::Table(table) => {
            let fields = cx.fields(node, node.span, "", &schema::ENV_FILE)?;
            fields.need(cx, "path", "\"/etc/app/app.env\"", |_, _, _| Some(()))?;
            demand.optional = fields.opt(cx, "optional", Cx::boolean).is_some_and(|stated| stated.value);
            demand.secret = fields.opt(cx, "secret", Cx::boolean).is_some_and(|stated| stated.value);
            demand.owner = fields.opt(cx, "owner", account).map(|stated| stated.value);
            demand.group = fields.opt(cx, "group", account).map(|stated| stated.value);
            demand.mode = fields.opt(cx, "mode", mode).map(|stated| stated.value);
            demand.overrides = fields.list(cx, "overrides", |cx, item, key| {
                cx.word(item, key, words::variable).map(|stated| stated.value)
            });
            table.get("path").map_or(node, |entry| &entry.node)
        }
        _ => node,
    };
    let raw = cx.raw(path_node, "env_files")?;
    if let Some(path) = raw.strip_prefix('-') {
        let message = "a path has no leading `-` here";
        let way_out =
            format!("write {path:?}; where it may be absent {{ path = {path:?}, optional = true }}");
        cx.error(path_node.span, message, way_out);
        return None;
    }
    let text = cx.expand(raw, path_node.span, Scope::Service);
    demand.path = cx.checked(path_node.span, words::path(&text))?;
    if demand.secret && demand.mode.is_some_and(|mode| mode & 0o007 != 0) {
        let message = format!("{} is secret, but its mode lets all users read it", demand.path);
        cx.error(path_node.span, message, "write `mode = \"0640\"`, or a stricter one");
    }
    let per_service = is_per_service(&demand.path);
    Some(EnvFileTemplate { demand, per_service })
}
