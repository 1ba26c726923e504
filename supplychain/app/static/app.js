// The page's side of the application: sends what the person does, patches what the server answers, keeps the focus.
(function () {
  "use strict";

  const LARGEST = { scenario: 1e6, network: 16e6 }; // bytes; the server holds the same limits
  const PEEK = 80; // milliseconds that a switch is pointed at before it is measured ahead
  const SLOW = 180; // milliseconds without an answer before the page says that it is working
  const TYPING = 400; // milliseconds without another change before a date that is being typed counts
  const SESSION = "supplychain-session"; // where a tab remembers which session it showed last
  const root = document.documentElement;
  let counter = 0;
  let sending = [];
  let slowTimer = null;
  let returnTo = null;
  const started = new Map();
  const app = { latencies: [], ready: false };
  window.supplychain = app;

  const byId = (id) => document.getElementById(id);

  // ---- Sending ------------------------------------------------------------------------------------------------

  function send(event) {
    counter += 1;
    const numbered = Object.assign({ n: counter }, event);
    started.set(counter, performance.now());
    sending.push(numbered);
    window.Shiny.setInputValue("events", sending.slice(), { priority: "event" });
    root.setAttribute("data-pending", "1");
    clearTimeout(slowTimer);
    slowTimer = setTimeout(() => root.setAttribute("data-slow", "1"), SLOW);
    return counter;
  }

  function answered(n) {
    const now = performance.now();
    for (const [number, at] of started) {
      if (number <= n) {
        app.latencies.push(now - at);
        started.delete(number);
      }
    }
    sending = sending.filter((event) => event.n > n);
    if (!sending.length) {
      clearTimeout(slowTimer);
      root.removeAttribute("data-pending");
      root.removeAttribute("data-slow");
      document.querySelectorAll("[data-waiting]").forEach((element) => {
        element.removeAttribute("data-waiting");
        element.removeAttribute("aria-disabled");
      });
      restore();
    }
  }

  // Fields whose change is an event show what the server last told: what it refused, or took for the same, is not left
  // standing as if it held. A field that is being typed in is left alone until it is left.
  function restore() {
    document.querySelectorAll("form[data-live] [name], input[data-do], select[data-do]").forEach((field) => {
      if (field === document.activeElement && !field.matches("select, [type=checkbox]")) return;
      if (field.type === "checkbox") field.checked = field.defaultChecked;
      else if (field.tagName === "INPUT") field.value = field.defaultValue;
      else for (const option of field.options) option.selected = option.defaultSelected;
    });
  }

  function described(element) {
    const event = {};
    for (const [key, value] of Object.entries(element.dataset)) {
      if (key !== "waiting" && key !== "once") event[key] = value;
    }
    return event;
  }

  function fields(form) {
    const given = {};
    for (const [name, value] of new FormData(form).entries()) {
      if (typeof value !== "string") continue;
      if (name in given) given[name] = [].concat(given[name], value);
      else given[name] = value;
    }
    form.querySelectorAll("input[type=checkbox][name]").forEach((box) => {
      if (!(box.name in given)) given[box.name] = "";
    });
    return given;
  }

  function once(element) {
    // An identical second click while the first is under way does nothing.
    if (element.hasAttribute("data-waiting")) return false;
    if (element.hasAttribute("data-once")) {
      element.setAttribute("data-waiting", "1");
      element.setAttribute("aria-disabled", "true");
    }
    return true;
  }

  document.addEventListener("click", (happening) => {
    const element = happening.target.closest("[data-do]");
    if (!element || element.tagName === "FORM" || element.matches("input, select")) return;
    happening.preventDefault();
    if (element.getAttribute("aria-disabled") === "true" || !once(element)) return;
    if (element.dataset.do === "explain" && !element.closest("#explain")) returnTo = element.id || null;
    send(described(element));
  });

  document.addEventListener("click", (happening) => {
    const node = happening.target.closest("svg.network [data-item]"); // the table below does the same by keyboard
    if (node) send({ do: "focus", item: node.getAttribute("data-item") });
  });

  document.addEventListener("change", (happening) => {
    const element = happening.target;
    if (element.matches("input[type=file][data-upload]")) return upload(element);
    if (element.matches("form[data-live] [name]")) return live(element);
    if (!element.matches("[data-do]")) return undefined;
    const event = described(element);
    event.value = element.type === "checkbox" ? element.checked : element.value;
    send(event);
    return undefined;
  });

  let typed = null; // the timer of a date that is being typed: a browser tells of every digit

  function live(field) {
    clearTimeout(typed);
    typed = null;
    if (!field.validity.valid) {
      if (!sending.length) root.removeAttribute("data-pending");
    } else if (field.type === "date") {
      root.setAttribute("data-pending", "1");
      typed = setTimeout(() => decided(field.form), TYPING);
    } else decided(field.form);
  }

  function decided(form) {
    clearTimeout(typed);
    typed = null;
    send(Object.assign(described(form), { fields: fields(form) }));
  }

  document.addEventListener("focusout", (happening) => {
    const field = happening.target;
    if (!field.matches("form[data-live] [name]")) return;
    if (typed !== null || !field.validity.valid) decided(field.form); // the server says what is wrong with it
  });

  document.addEventListener("submit", (happening) => {
    const form = happening.target;
    happening.preventDefault();
    if (!form.matches("form[data-do]") || form.hasAttribute("data-live")) return;
    const button = form.querySelector("button[type=submit]");
    if (button && !once(button)) return;
    send(Object.assign(described(form), { fields: fields(form) }));
  });

  // ---- Looking ahead: a switch that is pointed at is measured before it is moved -------------------------------

  let peekTimer = null;

  let pointed = null;

  function peek(happening) {
    const label = happening.target.closest && happening.target.closest(".switch");
    const box = label && label.querySelector("[data-do=toggle]:not(:disabled)");
    if (box === pointed) return;
    pointed = box;
    clearTimeout(peekTimer);
    if (!box || !app.ready) return;
    peekTimer = setTimeout(() => {
      if (!sending.length) window.Shiny.setInputValue("peek", described(box), { priority: "event" });
    }, PEEK);
  }

  document.addEventListener("pointermove", peek, { passive: true }); // not pointerover: that also comes of scrolling
  document.addEventListener("focusin", peek);

  // ---- Keyboard -----------------------------------------------------------------------------------------------

  const typing = (element) => element && element.matches("input:not([type=checkbox]):not([type=radio]), textarea");

  document.addEventListener("keydown", (happening) => {
    const key = happening.key.toLowerCase();
    if ((happening.ctrlKey || happening.metaKey) && !happening.altKey && !typing(happening.target)) {
      if (key === "z" && !happening.shiftKey) {
        happening.preventDefault();
        send({ do: "undo" });
      } else if (key === "y" || (key === "z" && happening.shiftKey)) {
        happening.preventDefault();
        send({ do: "redo" });
      }
      return;
    }
    if (key === "escape") {
      if (root.hasAttribute("data-side")) return side(false);
      const panel = byId("explain");
      if (panel && !panel.hidden) send({ do: "explain-close" });
      return;
    }
    const tab = happening.target.closest && happening.target.closest("[role=tab]");
    if (tab && ["arrowleft", "arrowright", "home", "end"].includes(key)) {
      happening.preventDefault();
      const tabs = Array.from(tab.closest("[role=tablist]").querySelectorAll("[role=tab]"));
      const at = tabs.indexOf(tab);
      const next = { arrowleft: at - 1, arrowright: at + 1, home: 0, end: tabs.length - 1 }[key];
      const chosen = tabs[(next + tabs.length) % tabs.length];
      chosen.focus();
      send(described(chosen));
    }
  });

  // ---- The drawer of the settings on narrow screens ------------------------------------------------------------

  function side(open) {
    root.toggleAttribute("data-side", open);
    const button = byId("side-button");
    button.setAttribute("aria-expanded", String(open));
    if (open) byId("side").focus();
    else button.focus();
  }

  document.addEventListener("click", (happening) => {
    if (happening.target.closest("#side-button")) side(!root.hasAttribute("data-side"));
    else if (happening.target.closest("#shade")) side(false);
  });

  // ---- Searching in lists: everything is on the page, so nothing is asked of the server --------------------------

  function filter(box) {
    const words = box.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const list = byId(box.dataset.filter);
    if (!list) return;
    let shown = 0;
    list.querySelectorAll("[data-words]").forEach((row) => {
      const group = row.closest("details[data-group]");
      const text = row.dataset.words + " " + (group ? group.dataset.group : "");
      row.hidden = !words.every((word) => text.includes(word));
      if (!row.hidden) shown += 1;
    });
    list.querySelectorAll("details[data-group]").forEach((group) => {
      const any = group.querySelector("[data-words]:not([hidden])");
      group.hidden = words.length > 0 && !any;
      if (words.length && any) group.open = true;
      else if (!words.length && box.dataset.was) group.open = group.hasAttribute("data-opened");
    });
    list.querySelectorAll("section[data-key]").forEach((section) => {
      section.hidden = words.length > 0 && !section.querySelector("details:not([hidden])");
    });
    box.dataset.was = words.length ? "1" : "";
    const note = byId(box.dataset.filter + "-none");
    if (note) note.hidden = shown > 0;
  }

  document.addEventListener("input", (happening) => {
    if (happening.target.matches("[data-filter]")) filter(happening.target);
  });

  // ---- Patching: unchanged nodes stay as they are, so focus, scroll and screen readers are not disturbed ----------

  const KEPT = new Set(["open", "data-waiting", "aria-disabled"]); // what the person or this file set
  const keyOf = (node) => (node.nodeType === 1 ? node.id || node.getAttribute("data-key") || "" : "");

  function same(a, b) {
    return a.nodeType === b.nodeType && a.nodeName === b.nodeName && keyOf(a) === keyOf(b);
  }

  function attributes(from, to) {
    for (const { name, value } of Array.from(to.attributes)) {
      if (from.getAttribute(name) !== value && !(name === "open" && from.nodeName === "DETAILS")) {
        from.setAttribute(name, value);
      }
    }
    for (const { name } of Array.from(from.attributes)) {
      if (!to.hasAttribute(name) && !KEPT.has(name) && !(name === "hidden" && from.dataset.words)) {
        from.removeAttribute(name);
      }
    }
    if (from.nodeName === "INPUT") {
      if (from.type === "checkbox" || from.type === "radio") from.checked = to.hasAttribute("checked");
      else if (from !== document.activeElement && to.hasAttribute("value") && from.type !== "file") {
        from.value = to.getAttribute("value");
      }
    }
    if (from.nodeName === "OPTION") from.selected = to.hasAttribute("selected");
    if (from.nodeName === "TEXTAREA" && from !== document.activeElement) from.value = to.textContent;
  }

  function morph(from, to) {
    if (from.nodeType !== 1) {
      if (from.nodeValue !== to.nodeValue) from.nodeValue = to.nodeValue;
      return;
    }
    if (from.isEqualNode(to) && !from.querySelector("input, select, textarea") && !from.matches("input, option")) return;
    attributes(from, to);
    children(from, to);
  }

  function children(from, to) {
    const keyed = new Map();
    for (const child of from.childNodes) if (keyOf(child)) keyed.set(keyOf(child), child);
    let at = from.firstChild;
    for (const wanted of Array.from(to.childNodes)) {
      const key = keyOf(wanted);
      const known = key && keyed.get(key);
      if (known && same(known, wanted)) {
        if (known === at) at = at.nextSibling;
        else from.insertBefore(known, at);
        morph(known, wanted);
      } else if (at && !keyOf(at) && same(at, wanted)) {
        const next = at.nextSibling;
        morph(at, wanted);
        at = next;
      } else {
        from.insertBefore(wanted, at); // moves the node out of the parsed fragment
      }
    }
    while (at) {
      const next = at.nextSibling;
      from.removeChild(at);
      at = next;
    }
  }

  function patch(id, html) {
    const element = byId(id);
    if (!element) return;
    const parsed = document.createElement("template");
    parsed.innerHTML = html;
    const wanted = element.cloneNode(false);
    wanted.append(parsed.content);
    children(element, wanted);
  }

  function receive(message) {
    const focused = document.activeElement;
    const home = focused.closest(".block, #slots, #body, #explain");
    for (const [id, html] of Object.entries(message.parts || {})) patch(id, html);
    for (const [id, value] of Object.entries(message.set || {})) {
      const element = byId(id);
      if (!element) continue;
      Object.assign(element, value);
      if ("checked" in value) element.defaultChecked = value.checked;
    }
    if (!focused.isConnected) refocus(home);
    document.querySelectorAll("[data-filter]").forEach((box) => box.value && filter(box));
    if (message.title) document.title = message.title;
    if (message.tab) byId("body").setAttribute("aria-labelledby", `tab-${message.tab}`);
    if (message.tell !== undefined) tell(message.tell);
    if (message.focus === "return") {
      const element = returnTo && byId(returnTo);
      if (element) element.focus();
    } else if (message.focus && byId(message.focus)) {
      byId(message.focus).focus();
    }
    if (!app.ready) {
      app.ready = true;
      resume();
      root.setAttribute("data-ready", "1");
    }
    answered(message.n || 0);
  }

  // What had the focus is gone, such as the button of a line that was removed: the keyboard goes on beside it.
  function refocus(home) {
    const place = home && home.childElementCount ? home : byId("main");
    place.setAttribute("tabindex", place.getAttribute("tabindex") || "-1");
    place.focus({ preventScroll: true });
  }

  // A page that is loaded again in the same tab goes on with what it showed.
  function resume() {
    const before = window.sessionStorage.getItem(SESSION);
    window.sessionStorage.setItem(SESSION, window.Shiny.shinyapp.config.sessionId);
    if (before) send({ do: "resume", session: before });
  }

  function tell(words) {
    const place = byId("told");
    place.textContent = "";
    place.textContent = words;
  }

  // ---- Files -----------------------------------------------------------------------------------------------------

  async function upload(box) {
    const file = box.files && box.files[0];
    if (!file) return;
    const session = window.Shiny.shinyapp.config.sessionId;
    root.setAttribute("data-slow", "1");
    let status = file.size > LARGEST[box.dataset.upload] ? 413 : 0;
    try {
      const answer = status ? { status } : await fetch(`${box.dataset.upload}/${session}?name=${encodeURIComponent(file.name)}`, {
        method: "POST",
        body: file,
        headers: { "Content-Type": "application/octet-stream" },
      });
      status = answer.status;
    } catch {
      status = 0;
    }
    box.value = "";
    root.removeAttribute("data-slow");
    if (status !== 200) send({ do: "upload-failed", status: String(status), name: file.name });
  }

  // ---- Connecting ------------------------------------------------------------------------------------------------

  window.jQuery(document).on("shiny:connected", () => {
    window.Shiny.addCustomMessageHandler("show", receive);
  });
  window.jQuery(document).on("shiny:disconnected", () => lost("words"));
  let without = 0; // looks in a row that found no connection
  const watch = setInterval(() => {
    // A connection that was refused is not told as an event: without a look the page would wait for ever.
    const shiny = window.Shiny && window.Shiny.shinyapp;
    without = shiny && !shiny.isConnected() ? without + 1 : 0;
    const refused = !app.ready && without > 2;
    if (refused) lost("refused");
    if (refused || app.ready) clearInterval(watch);
  }, 500);

  function lost(why) {
    root.removeAttribute("data-slow");
    const box = byId("lost");
    box.hidden = false;
    for (const reason of ["words", "refused"]) byId(`lost-${reason}`).hidden = reason !== why;
    for (const other of document.body.children) other.inert = other !== box; // nothing behind it answers any more
    byId("lost-button").focus();
  }

  document.addEventListener("click", (happening) => {
    if (happening.target.closest("#lost-button")) window.location.reload();
  });
})();
