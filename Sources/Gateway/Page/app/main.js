// The page: what stays while views come and go (navigation, theme, connection, sign-in), and which view an address means.
import { announce, clean, h, replace, setText } from "./dom.js";
import { connection } from "./connection.js";
import { session } from "./session.js";
import { signIn } from "./signin.js";
import { overview } from "./overview.js";
import { jobs, requests } from "./lists.js";
import { job } from "./job.js";
import { request } from "./request.js";
import { dead } from "./dead.js";
import { submit } from "./submit.js";

const views = { overview, requests, request, jobs, job, dead, submit };
const main = document.getElementById("main");
let leaving = new AbortController();

/** `#/jobs/17?state=dead` is the view `job` with the id 17. */
function address() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [first, id] = path.split("/");
  let decoded;
  try { decoded = id && decodeURIComponent(id); } catch { decoded = id; }
  const one = { jobs: "job", requests: "request" }[first];
  const view = decoded && one ? one : first || "overview";
  return { view: Object.hasOwn(views, view) ? view : "overview", id: decoded, query: new URLSearchParams(query) };
}

function open({ focus = true } = {}) {
  leaving.abort();
  leaving = new AbortController();
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
  if (connection.lost) connection.become(null);
  const where = address();
  const shown = session.token ? views[where.view] : signIn;
  const { title, element } = shown({ ...where, signal: leaving.signal });
  replace(main, element);
  document.title = `${title} – Statex`;
  const current = { job: "jobs", request: "requests" }[where.view] ?? where.view;
  for (const link of document.querySelectorAll("#nav a")) {
    if (link.dataset.view === current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  scrollTo(0, 0);
  if (focus) main.focus({ preventScroll: true });
}

function showWho() {
  const signed = Boolean(session.token);
  document.getElementById("nav").hidden = !signed;
  document.getElementById("leave").hidden = !signed;
  const { sub, tenant } = session.claims;
  setText(document.getElementById("who"), signed && sub ? clean(tenant ? `${sub} · ${tenant}` : sub).slice(0, 60) : "");
}

// Light, dark, or as the system has it.
const themes = { system: "Theme: system", light: "Theme: light", dark: "Theme: dark" };
const theme = document.getElementById("theme");
function showTheme() {
  const chosen = Object.hasOwn(themes, localStorage.getItem("statex.theme")) ? localStorage.getItem("statex.theme") : "system";
  document.documentElement.dataset.theme = chosen;
  theme.textContent = themes[chosen];
  return chosen;
}
theme.addEventListener("click", () => {
  const names = Object.keys(themes);
  localStorage.setItem("statex.theme", names[(names.indexOf(showTheme()) + 1) % names.length]);
  announce(themes[showTheme()]);
});

const banner = document.getElementById("banner");
connection.onChange((lost) => {
  if (!lost) {
    if (banner.firstChild) announce("Connected again.");
    return banner.replaceChildren();
  }
  if (!banner.firstChild) {
    banner.append(h("p", {}, h("strong"), " ", h("span")), h("button", { type: "button", onclick: () => connection.tryNow() }, "Try now"));
  }
  setText(banner.querySelector("strong"), lost.problem.title);
  setText(banner.querySelector("span"), `${lost.problem.detail} What you see is as it was.`);
});

document.getElementById("leave").addEventListener("click", () => session.end("You signed out."));
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault(); // The address stays the view's.
  main.focus();
});
session.onChange((why) => {
  showWho();
  open();
  if (why) main.querySelector(".why").textContent = why;
});
addEventListener("hashchange", () => open());
showTheme();
showWho();
open({ focus: false });
