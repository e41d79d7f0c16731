// The phone page. The server tells everything over one event stream; this draws it. Whatever people wrote goes into the
// page as text, never as markup.

const find = (id) => document.getElementById(id);
const phones = new Map(); // by number: what the server last said of each phone
const seen = new Map(); // by number: how many texts of the business were on the screen when it was last looked at
const toggled = new Map(); // by exchange: whether a person opened or closed it
const drawn = new Map(); // by exchange: what its card shows, so that only changes are drawn
let line = { name: "", number: "", suggestions: [] };
let current = null;
let showsAll = false;
let attached = []; // pictures that go with the next text, as data URLs

// What the server says

function follow() {
  const events = new EventSource("events");
  events.addEventListener("line", (event) => greet(JSON.parse(event.data)));
  events.addEventListener("phone", (event) => update(JSON.parse(event.data)));
  events.addEventListener("budget", (event) => drawBudget(JSON.parse(event.data)));
  events.onopen = () => setLive(true);
  events.onerror = () => {
    setLive(false);
    if (events.readyState === EventSource.CLOSED) setTimeout(follow, 1000);
  };
}

function setLive(isOn) {
  find("live").classList.toggle("on", isOn);
  find("live").textContent = isOn ? "live" : "connecting again";
}

function greet(told) {
  line = told;
  phones.clear(); // after a restart the server may know others
  document.title = `${line.name} · Replyline`;
  find("line-name").textContent = line.name;
  find("line-number").textContent = spoken(line.number);
  find("contact-name").textContent = line.name;
  find("contact-number").textContent = spoken(line.number);
  find("avatar").textContent = line.name.split(/\s+/).slice(0, 2).map((word) => word[0]).join("").toUpperCase();
  find("model-note").textContent = line.note;
  find("chips").replaceChildren(...line.suggestions.map((words) => {
    const chip = make("button", "chip", words);
    chip.type = "button";
    chip.onclick = () => send(words, []);
    return chip;
  }));
}

function drawBudget({ used, limit }) {
  find("budget").hidden = false;
  find("budget").textContent = `Texts today: ${cents(used)} of ${cents(limit)}`;
}

function update(phone) {
  phones.set(phone.number, phone);
  if (current === null || !phones.has(current)) current = phones.keys().next().value;
  if (phone.number === current) drawScreen();
  drawTabs();
  drawTrail();
}

// The phone

function drawTabs() {
  find("tabs").replaceChildren(...[...phones.values()].map((phone) => {
    const tab = make("button", "tab", spoken(phone.number));
    const isCurrent = phone.number === current;
    const unread = received(phone) - (seen.get(phone.number) ?? 0);
    tab.type = "button";
    tab.id = `tab-${phone.number}`;
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-selected", isCurrent);
    tab.setAttribute("aria-controls", "phone");
    tab.tabIndex = isCurrent ? 0 : -1;
    if (!isCurrent && unread > 0) {
      tab.classList.add("unread");
      tab.setAttribute("aria-label", `${spoken(phone.number)}, ${unread} unread`);
    }
    tab.onclick = () => look(phone.number);
    return tab;
  }));
}

function look(number) {
  const hadFocus = document.activeElement?.getAttribute("role") === "tab";
  current = number;
  drawScreen();
  drawTabs();
  drawTrail();
  const tab = find(`tab-${number}`);
  tab.scrollIntoView({ block: "nearest", inline: "nearest" });
  if (hadFocus) tab.focus();
}

find("tabs").onkeydown = (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const numbers = [...phones.keys()];
  look(numbers[(numbers.indexOf(current) + step + numbers.length) % numbers.length]);
  find(`tab-${current}`).focus();
};

const received = (phone) => phone.screen.filter((text) => !text.is_mine).length;
let screenShows = "";

function drawScreen() {
  const phone = phones.get(current);
  seen.set(current, received(phone));
  const shows = JSON.stringify([current, phone.screen]);
  if (shows === screenShows) return;
  const screen = find("screen");
  const isOther = !screenShows.startsWith(JSON.stringify([current]).slice(0, -1));
  const staysAtEnd = isAtEnd || isOther;
  screenShows = shows;
  screen.replaceChildren(...phone.screen.flatMap(drawText));
  if (!phone.screen.length) screen.append(make("li", "day", "Write a text, or pick one below."));
  for (const picture of screen.querySelectorAll("img")) picture.onload = keepAtEnd;
  isAtEnd = staysAtEnd;
  keepAtEnd();
}

let isAtEnd = true; // unless somebody has scrolled up to read

function keepAtEnd() {
  if (isAtEnd) find("screen").scrollTop = find("screen").scrollHeight;
}

find("screen").onscroll = () => {
  const screen = find("screen");
  isAtEnd = screen.scrollHeight - screen.scrollTop - screen.clientHeight < 60;
};
new ResizeObserver(keepAtEnd).observe(find("screen"));

const NEW_TIME = 10 * 60 * 1000; // a pause after which the time is written between texts

function drawText(text, at, texts) {
  const before = texts[at - 1];
  const after = texts[at + 1];
  const row = make("li", `text${text.is_mine ? " mine" : ""}`);
  const isLast = !after || after.is_mine !== text.is_mine || after.at - text.at > NEW_TIME;
  row.classList.toggle("turns", before !== undefined && before.is_mine !== text.is_mine);
  row.classList.toggle("ends", isLast);
  row.append(make("span", "hidden", text.is_mine ? "You: " : `${line.name}: `));
  for (const address of text.pictures) row.append(drawPicture(address));
  if (text.body) row.append(make("div", "bubble", text.body));
  const isLastOfMinute = !after || clock(after.at) !== clock(text.at);
  if (isLastOfMinute || (isLast && text.is_mine) || text.note) row.append(drawMeta(text, isLastOfMinute));
  const isNewTime = before === undefined || text.at - before.at > NEW_TIME;
  return isNewTime ? [make("li", "day", dayAndTime(text.at)), row] : [row];
}

function drawPicture(address) {
  const frame = make("div", "picture");
  const picture = make("img");
  picture.src = address;
  picture.alt = "Picture";
  frame.append(picture);
  return frame;
}

const TICKS = { "with Twilio": "M2 5.5 4.8 8.3 10 2", answered: "M1 5.5 3.8 8.3 9 2M7 7.4l.9.9L13.1 2" };
const STATES = {
  "with Twilio": "Sent: Twilio has it",
  answered: "Delivered: the server has it",
  "not answered": "Not delivered: the server did not take it",
};

function drawMeta(text, hasTime) {
  const words = [hasTime ? clock(text.at) : "", text.note].filter(Boolean).join(" · ");
  const meta = make("div", "meta", words);
  if (!text.is_mine || !text.state) return meta;
  meta.title = STATES[text.state];
  meta.classList.toggle("seen", text.state === "answered");
  meta.classList.toggle("lost", text.state === "not answered");
  if (TICKS[text.state]) {
    meta.append(make("span", "hidden", STATES[text.state]), drawTick(TICKS[text.state]));
  } else {
    meta.append("Not delivered");
  }
  return meta;
}

function drawTick(path) {
  const tick = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const stroke = document.createElementNS("http://www.w3.org/2000/svg", "path");
  for (const [name, value] of Object.entries({ viewBox: "0 0 15 10", width: 15, height: 10, "aria-hidden": true })) {
    tick.setAttribute(name, value);
  }
  for (const [name, value] of Object.entries({ d: path, fill: "none", stroke: "currentColor", "stroke-width": 1.4, "stroke-linecap": "round", "stroke-linejoin": "round" })) {
    stroke.setAttribute(name, value);
  }
  tick.append(stroke);
  return tick;
}

// Sending

async function send(body, pictures) {
  await ask(`phones/${encodeURIComponent(current)}/texts`, {
    body,
    pictures: pictures.map((address) => ({ content: address.slice(address.indexOf(",") + 1) })),
  });
}

async function ask(path, given) {
  try {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(given),
    });
    const told = await answer.json();
    if (answer.ok) return told;
    complain(told.error);
  } catch {
    complain("The server does not answer.");
  }
  return null;
}

let complaint = 0;

function complain(words) {
  clearTimeout(complaint);
  find("toast").textContent = words;
  find("toast").hidden = false;
  complaint = setTimeout(() => { find("toast").hidden = true; }, 5000);
}

find("composer").onsubmit = (event) => {
  event.preventDefault();
  const words = find("words").value.trim();
  if (current === null || (!words && !attached.length)) return;
  send(words, attached);
  find("words").value = "";
  attached = [];
  drawAttached();
  grow();
  find("words").focus();
};

find("words").onkeydown = (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    find("composer").requestSubmit();
  }
};
find("words").oninput = grow;
find("words").onpaste = (event) => {
  const pictures = [...event.clipboardData.files].filter((file) => file.type.startsWith("image/"));
  if (pictures.length) {
    event.preventDefault();
    attach(pictures);
  }
};

function grow() {
  const words = find("words");
  words.style.height = "auto";
  words.style.height = `${words.scrollHeight + 2}px`;
}

// Pictures

find("add-picture").onclick = () => find("file").click();
find("file").onchange = async () => {
  await attach([...find("file").files]);
  find("file").value = "";
};

async function attach(files) {
  for (const file of files) {
    try {
      attached.push(file.size > LARGE ? await smaller(file) : await dataUrl(file));
    } catch {
      complain(`${file.name} is not a picture that phones can send.`);
    }
  }
  drawAttached();
  find("words").focus();
}

const LARGE = 600 * 1024; // bytes; phones make pictures smaller before they send them
const WIDEST = 1600; // pixels

const dataUrl = (file) => new Promise((resolve, reject) => {
  const reader = new FileReader();
  reader.onload = () => resolve(reader.result);
  reader.onerror = reject;
  reader.readAsDataURL(file);
});

async function smaller(file) {
  if (file.type === "image/gif") return dataUrl(file); // it may move
  const picture = await createImageBitmap(file);
  const scale = Math.min(1, WIDEST / Math.max(picture.width, picture.height));
  const canvas = make("canvas");
  canvas.width = Math.round(picture.width * scale);
  canvas.height = Math.round(picture.height * scale);
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/jpeg", 0.82);
}

function drawAttached() {
  find("attached").replaceChildren(...attached.map((address, at) => {
    const item = make("li");
    const picture = make("img");
    const remove = make("button", "", "×");
    picture.src = address;
    picture.alt = `Picture ${at + 1}`;
    remove.type = "button";
    remove.setAttribute("aria-label", `Remove picture ${at + 1}`);
    remove.onclick = () => {
      attached.splice(at, 1);
      drawAttached();
    };
    item.append(picture, remove);
    return item;
  }));
}

// Buttons

find("add-phone").onclick = async () => {
  const told = await ask("phones", {});
  if (told) whenKnown(told.number, () => look(told.number));
};

function whenKnown(number, act) {
  if (phones.has(number)) act();
  else setTimeout(() => whenKnown(number, act), 50);
}

find("burst").onclick = async () => {
  find("burst").disabled = true;
  showAll(true); // so that one sees the others being answered at the same time
  await ask(`phones/${encodeURIComponent(current)}/burst`, {});
  find("burst").disabled = false;
};
find("sign-up").onclick = () => ask(`phones/${encodeURIComponent(current)}/sign-up`, {});
find("offer").onclick = () => ask(`phones/${encodeURIComponent(current)}/offer`, {});
find("offer-at-night").onclick = async () => {
  const told = await ask("offer-at-night", {});
  if (told) whenKnown(told.number, () => look(told.number));
};
find("show-ledger").onclick = async () => {
  try {
    const answer = await fetch(`phones/${encodeURIComponent(current)}/ledger`);
    drawLedger(await answer.json());
  } catch {
    complain("The server does not answer.");
  }
};

function drawLedger(kept) {
  const { events, chain } = kept;
  find("ledger-title").textContent = `Ledger of ${spoken(current)}`;
  find("ledger-chain").textContent = chain.wrong.length
    ? `The chain is broken: ${chain.wrong.join(" ")}`
    : `The chain of all ${chain.events} events of this line holds: nothing changed, nothing missing. Its end is ${chain.head.slice(0, 16)}…`;
  find("ledger-events").replaceChildren(...events.map((event) => {
    const row = make("li");
    const { at, kind, ...more } = event;
    row.append(
      make("span", "at", dayAndTime(at)),
      make("b", "", kind.replaceAll("_", " ")),
      make("span", "note", Object.entries(more).map(([name, value]) => `${name.replaceAll("_", " ")}: ${value}`).join(" · ")),
    );
    return row;
  }));
  if (!events.length) find("ledger-events").append(make("li", "note", "This person has agreed to nothing, and taken nothing back."));
  find("ledger").showModal();
}

find("this-phone").onclick = () => showAll(false);
find("all-phones").onclick = () => showAll(true);

function showAll(isAll) {
  showsAll = isAll;
  find("this-phone").setAttribute("aria-pressed", !isAll);
  find("all-phones").setAttribute("aria-pressed", isAll);
  drawTrail();
}

// The trail

function drawTrail() {
  const shown = (showsAll ? [...phones.values()] : [phones.get(current)]).flatMap((phone) => phone?.exchanges ?? []);
  shown.sort((a, b) => b.began_at - a.began_at || (a.id < b.id ? 1 : -1));
  const cards = new Map(shown.map((exchange, at) => [exchange.id, drawExchange(exchange, isOpen(exchange, at, shown))]));
  const place = find("exchanges");
  for (const card of [...place.children]) if (!cards.has(card.id)) card.remove();
  [...cards.values()].forEach((card, at) => {
    if (place.children[at] !== card) place.insertBefore(card, place.children[at] ?? null);
  });
  place.hidden = !shown.length;
  find("empty").hidden = shown.length > 0;
  drawOptOut();
  drawExport();
}

function isOpen(exchange, at, shown) {
  // The newest is open; among all phones also those that began with it, as a burst does.
  const isNew = at === 0 || (showsAll && at < 3 && shown[0].began_at - exchange.began_at < 3000);
  return toggled.get(exchange.id) ?? isNew;
}

function drawExport() {
  if (current) find("export").href = `phones/${encodeURIComponent(current)}/export`;
}

function drawOptOut() {
  const optedOut = phones.get(current)?.optedOut;
  find("opted-out").hidden = !optedOut;
  if (optedOut) {
    const who = showsAll ? `${spoken(current)} has opted out` : "Opted out";
    find("opted-out").textContent = `${who} since ${dayAndTime(optedOut.since).replace(/^T/, "t")}. Nothing is sent to this phone; START reopens the line.`;
  }
}

function drawExchange(exchange, open) {
  const shows = JSON.stringify([exchange, showsAll]);
  let known = drawn.get(exchange.id);
  if (!known) {
    const card = make("details", "exchange");
    card.id = exchange.id;
    card.append(make("summary"));
    card.firstChild.onclick = () => toggled.set(exchange.id, !card.open);
    known = { card, shows: "" };
    drawn.set(exchange.id, known);
  }
  if (known.card.open !== open) known.card.open = open;
  if (known.shows !== shows) {
    known.shows = shows;
    known.card.firstChild.replaceChildren(...drawSummary(exchange));
    const moments = make("ol", "moments");
    moments.append(...exchange.moments.map((moment, at) => drawMoment(moment, `${exchange.id} ${at}`)));
    known.card.replaceChildren(known.card.firstChild, moments, drawFigures(exchange.figures));
  }
  return known.card;
}

function drawSummary(exchange) {
  const said = make("span", "said");
  if (showsAll) said.append(make("span", "phone-number", spoken(exchange.phone)));
  const texts = exchange.texts.length ? exchange.texts : exchange.replies;
  if (!exchange.texts.length) said.append(make("span", "more", "We wrote: "));
  texts.forEach((text, at) => {
    if (at) said.append(make("span", "more", " + "));
    said.append(make("b", "", wordsOf(text)));
  });
  const brief = exchange.figures.answered_after === null ? "" : `answered in ${span(exchange.figures.answered_after)}`;
  const state = make("span", "state", exchange.state);
  state.dataset.tone = exchange.tone;
  return [said, make("span", "brief", brief), state, make("span", "chevron")];
}

function wordsOf(text) {
  const pictures = text.pictures.length === 1 ? "a picture" : `${text.pictures.length} pictures`;
  if (!text.pictures.length) return `“${text.body}”`;
  return text.body ? `“${text.body}” with ${pictures}` : pictures[0].toUpperCase() + pictures.slice(1);
}

function drawMoment(moment, id) {
  const row = make("li", "moment");
  row.dataset.tone = moment.tone;
  row.dataset.kind = moment.kind;
  const what = make("div", "what");
  what.append(make("b", "", moment.title), make("span", "note", moment.note));
  row.append(
    make("span", "after", moment.after === null ? "" : span(moment.after)),
    make("span", "dot"),
    what,
    make("span", "took", moment.took === null ? "" : `took ${moment.took < 1 ? "under 1 ms" : span(moment.took)}`),
  );
  if (moment.code) row.append(make("div", ["queued", "model"].includes(moment.kind) ? "code words" : "code", moment.code));
  if (moment.why) row.append(drawWhy(moment, id));
  return row;
}

function drawWhy(moment, id) {
  const why = make("details", "why");
  why.open = toggled.get(id) ?? ["held", "bad"].includes(moment.tone);
  const summary = make("summary", "", "What the gate said");
  summary.onclick = () => toggled.set(id, !why.open);
  why.append(summary, make("div", "code", moment.why));
  return why;
}

function drawFigures(figures) {
  const row = make("p", "figures");
  const say = (label, value) => {
    const item = make("span", "", `${label} `);
    item.append(make("b", "", value));
    row.append(item);
  };
  if (figures.delivered_after !== null) say("On the phone in", span(figures.delivered_after));
  if (figures.segments) say("Segments", `${figures.segments} × ${figures.encodings.join(", ")}`);
  if (figures.models.length) say("Model", modelCost(figures));
  if (figures.is_billed) say("SMS", smsCost(figures));
  row.hidden = !row.children.length;
  return row;
}

function smsCost(figures) {
  if (figures.sms_cost_micros === null) return "price not known";
  return `${figures.is_estimate ? "about " : ""}${dollars(figures.sms_cost_micros)}`;
}

const cents = (micros) => `$${(micros / 1e6).toFixed(micros < 1e6 ? 3 : 2)}`;
const dollars = (micros) => `$${(micros / 1e6).toFixed(6).replace(/0+$/, "").replace(/\.$/, "")}`;

function modelCost(figures) {
  if (figures.model_cost_micros === null) return "price not known";
  if (figures.models.every((model) => model === "scripted")) return "scripted: free";
  return dollars(figures.model_cost_micros);
}

// Words

function make(tag, name = "", words = null) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (words !== null) made.textContent = words;
  return made;
}

function spoken(number) {
  const parts = /^\+1(\d{3})(\d{3})(\d{4})$/.exec(number);
  return parts ? `(${parts[1]}) ${parts[2]}-${parts[3]}` : number;
}

function span(ms) {
  if (ms < 1000) return `${ms} ms`;
  if (ms < 120_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  const minutes = Math.round(ms / 60_000);
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}

const clock = (at) => new Date(at).toLocaleTimeString([], { hour: "numeric", minute: "2-digit" });

function dayAndTime(at) {
  const day = new Date(at);
  const isToday = day.toDateString() === new Date().toDateString();
  return `${isToday ? "Today" : day.toLocaleDateString([], { weekday: "short", month: "short", day: "numeric" })} ${clock(at)}`;
}

function tellTime() {
  find("phone-time").textContent = clock(Date.now());
}

tellTime();
setInterval(tellTime, 5000);
follow();
find("words").focus({ preventScroll: true });
