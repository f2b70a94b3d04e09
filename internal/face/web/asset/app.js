// Everything here adds to pages that already work without it. No markup is
// made from text: only DOM calls, so that Trusted Types can stay at 'none'.

const $ = (sel, at = document) => at.querySelector(sel);
const $$ = (sel, at = document) => [...at.querySelectorAll(sel)];
const make = (tag, props = {}, ...kids) => {
  const el = document.createElement(tag);
  for (const [k, v] of Object.entries(props)) k in el ? (el[k] = v) : el.setAttribute(k, v);
  el.append(...kids);
  return el;
};
const root = document.documentElement;
const go = url => location.assign(url);
const typing = el => el instanceof Element && el.closest('input:not([type=checkbox],[type=radio]),select,textarea,[contenteditable]');

// ── times: UTC stands in the page, local time is one hover away ──
const local = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const zone = new Intl.DateTimeFormat(undefined, { timeZoneName: 'short' });
const times = at => $$('time[datetime]', at).forEach(t => {
  const d = new Date(t.dateTime);
  if (!isNaN(d)) t.title = local.format(d) + ' ' + (zone.formatToParts(d).find(p => p.type === 'timeZoneName')?.value ?? '');
});
times(document);

const clock = $('.clock');
if (clock) {
  // The server's clock counts, not this machine's: keep the difference.
  const ahead = Date.parse(clock.dataset.now) - Date.now();
  const hm = tz => new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', timeZone: tz });
  const utc = hm('UTC'), here = hm(undefined);
  const tick = () => {
    const now = Date.now() + ahead;
    $('b', clock).textContent = utc.format(now) + ' UTC';
    $('span', clock).textContent = here.format(now) + ' here';
    setTimeout(tick, 60000 - now % 60000 + 50);
  };
  tick();
}

// ── toasts ──
const toast = text => {
  const box = $('.toasts') ?? document.body.appendChild(make('div', { className: 'toasts', role: 'status' }));
  const t = make('div', {}, text);
  box.append(t);
  setTimeout(() => t.remove(), 4000);
};

// ── theme: the form posts without us; with us the page stays where it is ──
for (const form of $$('form.theme')) form.addEventListener('submit', e => {
  e.preventDefault();
  const value = e.submitter.value;
  root.dataset.theme = value;
  $$('button', form).forEach(b => b.setAttribute('aria-pressed', b === e.submitter));
  fetch(form.action, { method: 'POST', body: new URLSearchParams({ theme: value }), redirect: 'manual' });
});

// ── copy ──
document.addEventListener('click', async e => {
  const b = e.target.closest?.('[data-copy]');
  if (!b) return;
  try {
    await navigator.clipboard.writeText(b.closest('.copy').firstElementChild.textContent);
    toast('Copied');
  } catch {
    toast('The browser did not let us copy');
  }
});
$$('[data-copy]').forEach(b => b.classList.remove('later'));

// ── forms ──
let dirty = null;
document.addEventListener('input', e => {
  const form = e.target.form;
  if (form?.method === 'post' && form.matches('.form')) dirty = form;
});
document.addEventListener('submit', e => {
  const form = e.target, by = e.submitter;
  if (by?.dataset.confirm && !by.dataset.agreed) {
    e.preventDefault();
    ask(by);
    return;
  }
  dirty = null;
  // A second click must not post twice; the server's key catches what we miss.
  if (form.method === 'post' && !form.matches('.theme')) {
    setTimeout(() => $$('button', form).forEach(b => b.setAttribute('aria-disabled', 'true')));
    if (form.dataset.sent) e.preventDefault();
    form.dataset.sent = '1';
  }
});
addEventListener('pageshow', () => $$('form[data-sent]').forEach(f => {
  delete f.dataset.sent;
  $$('button', f).forEach(b => b.removeAttribute('aria-disabled'));
}));
addEventListener('beforeunload', e => dirty && e.preventDefault());

function ask(by) {
  const yes = make('button', { className: 'danger' }, by.textContent.trim());
  const no = make('button', { autofocus: true }, 'Keep it');
  const d = dialog('Are you sure?', make('p', { className: 'lede' }, by.dataset.confirm), make('div', { className: 'foot' }, no, yes));
  no.onclick = () => d.close();
  yes.onclick = () => {
    const agreed = make('input', { type: 'hidden', name: '_confirmed', value: '1' });
    by.form.append(agreed);
    by.dataset.agreed = '1';
    d.close();
    by.form.requestSubmit(by);
  };
}

function dialog(title, ...kids) {
  const h = make('h2', { id: 'dialog-title' }, title);
  const d = make('dialog', { 'aria-labelledby': 'dialog-title' }, h, ...kids);
  d.addEventListener('close', () => d.remove());
  d.addEventListener('click', e => e.target === d && d.close());
  document.body.append(d);
  d.showModal();
  return d;
}

// A one-time link carries its token in the fragment, which no server log sees. It
// moves into the form and leaves the address bar and the history. Where it is
// wanted only after a log-in, and where a form comes back with a fault, it waits
// in this tab.
const wanted = $('[data-fragment]');
const sent = new URLSearchParams(location.hash.slice(1)).get('token') ?? '';
if (sent) {
  sessionStorage.setItem('link', sent);
  history.replaceState(null, '', location.pathname + location.search);
}
if (wanted) {
  wanted.value = sessionStorage.getItem('link') ?? '';
  if (wanted.value) $('input:not([type=hidden],[data-fragment])', wanted.form)?.focus();
  wanted.form.addEventListener('submit', () => sessionStorage.setItem('link', wanted.value));
} else if (location.pathname !== '/login') {
  sessionStorage.removeItem('link');
}

// ── passwords: look at what was typed, judge it, make one up ──
$$('[data-reveal]').forEach(b => {
  const input = $('input', b.parentElement);
  b.classList.remove('later');
  b.addEventListener('click', () => {
    const show = input.type === 'password';
    input.type = show ? 'text' : 'password';
    b.setAttribute('aria-pressed', show);
    b.textContent = show ? 'Hide' : 'Show';
    input.focus();
  });
  // Whatever is shown is a password again when the form leaves.
  input.form?.addEventListener('submit', () => { input.type = 'password'; });
});
const query = async (op, fields = {}) => {
  const r = await fetch('/ask/' + op, { method: 'POST', body: new URLSearchParams(fields) });
  const a = await r.json();
  if (!r.ok) throw new Error(a.error);
  return a.output;
};
for (const box of $$('[data-judge]')) {
  const input = document.getElementById(box.dataset.judge), form = input.form;
  const said = $('p', box), meter = $('meter', box), maker = $('button', box);
  box.classList.remove('later');
  let turn = 0, timer = 0;
  const judge = async () => {
    const mine = ++turn;
    if (!input.value) { meter.value = 0; said.textContent = ''; return; }
    const fields = { password: input.value };
    for (const name of ['login', 'name', 'token']) if (form.elements[name]?.value) fields[name] = form.elements[name].value;
    try {
      const v = await query('password.check', fields);
      if (mine !== turn) return;
      meter.value = v.score;
      const word = v.level[0].toUpperCase() + v.level.slice(1);
      said.textContent = v.enough ? `${word}: this one is accepted.` : `${word}. It ${v.fault}.`;
    } catch (e) {
      if (mine === turn) said.textContent = e.message;
    }
  };
  input.addEventListener('input', () => { clearTimeout(timer); timer = setTimeout(judge, 250); });
  maker.addEventListener('click', async () => {
    try {
      input.value = (await query('password.generate')).password;
      input.type = 'text';
      input.dispatchEvent(new Event('input', { bubbles: true }));
      input.select();
    } catch (e) { said.textContent = e.message; }
  });
}

// ── a table that is narrowed while somebody types; Enter asks the server for all ──
for (const input of $$('input[data-narrows]')) {
  input.addEventListener('input', () => {
    const text = input.value.trim().toLowerCase();
    for (const row of $$('tbody tr', document.getElementById(input.dataset.narrows))) row.hidden = !row.textContent.toLowerCase().includes(text);
  });
}

// ── rows that are looked at while somebody types ──
for (const form of $$('[data-check]')) {
  const said = $('.check-said', form), kinds = {};
  $$('dt', document.getElementById(form.dataset.hints) ?? make('dl')).forEach(dt => (kinds[dt.textContent] = dt.nextElementSibling.textContent));
  const names = make('datalist', { id: 'kind-names' }, ...Object.keys(kinds).map(k => make('option', { value: k })));
  form.append(names);
  said.classList.remove('later');
  const part = (row, name) => $(`[name$=".${name}"]`, row);
  const filled = row => $$('[name]', row).filter(i => /\.(data|parts\.\d+)$/.test(i.name));
  const kind = row => part(row, 'type')?.value.trim().toUpperCase() ?? '';
  // Ids and names of a row hold its number, the first in each.
  const renumber = (top, n) => [top, ...$$('*', top)].forEach(el => {
    for (const a of ['id', 'name', 'for', 'aria-describedby']) {
      if (el.hasAttribute(a)) el.setAttribute(a, el.getAttribute(a).replace(/\S*-said\s*/, '').replace(/(^|\s)([^\d\s]*)\d+/g, `$1$2${n}`));
    }
  });
  const shapes = Object.fromEntries($$('template[data-kind]', form).map(t => [t.dataset.kind, t]));
  const into = (row, name) => {
    const now = $('.parts', row) ?? part(row, 'data').closest('.field');
    const next = shapes[name].content.firstElementChild.cloneNode(true);
    const label = i => i.closest('.field').querySelector('label').textContent;
    const had = Object.fromEntries(filled(now).map(i => [label(i), i.value]));
    renumber(next, part(row, 'type').name.match(/\d+/)[0]);
    const only = filled(now).length + filled(next).length === 2 ? filled(now)[0].value : '';
    filled(next).forEach(i => (i.value = had[label(i)] ?? only));
    now.replaceWith(next);
    const owner = part(row, 'name');
    if (owner) owner.placeholder = shapes[name].dataset.owner;
  };
  // A row has the fields of its type. A line that somebody has begun stays one.
  const shape = (row, done) => {
    const want = shapes[kind(row)] ? kind(row) : '';
    if (!shapes[''] || (!want && !done) || want === ($('.parts', row)?.dataset.kind ?? '') || part(row, 'data')?.value.trim()) return;
    into(row, want);
  };
  const hint = row => {
    part(row, 'type')?.setAttribute('list', names.id);
    const text = shapes[kind(row)]?.dataset.says ?? kinds[kind(row)] ?? '';
    let p = $('.row-hint', row);
    if (!p && text) row.append(p = make('p', { className: 'hint row-hint' }));
    if (p) p.textContent = text;
  };
  const blame = (input, text) => {
    const id = input.id + '-said';
    let p = document.getElementById(id);
    if (!p && !text) return;
    if (!p) {
      input.after(p = make('div', { className: 'fault', id }));
      input.setAttribute('aria-describedby', `${id} ${input.getAttribute('aria-describedby') ?? ''}`);
    }
    p.textContent = text;
    p.hidden = !text;
    input.setAttribute('aria-invalid', !!text);
  };
  let turn = 0, timer = 0;
  const look = async () => {
    const mine = ++turn;
    const rows = $$('.member', form).filter(r => kind(r) && (filled(r).some(i => i.value.trim()) || part(r, 'action').value === 'remove'));
    const fields = { zone: form.elements.zone.value };
    rows.forEach((r, n) => $$('[name]', r).forEach(i => {
      if (i.value) fields[i.name.replace(/\d+/, n)] = i.value;
    }));
    let a;
    try { a = await query(form.dataset.check, fields); } catch (e) { a = { faults: [{ line: -1, says: e.message }] }; }
    if (mine !== turn) return;
    $$('.member input, .member select, .member textarea', form).forEach(i => blame(i, ''));
    const whole = [];
    for (const f of a.faults ?? []) {
      const input = rows[f.line] && (part(rows[f.line], f.field) ?? (f.field === 'data' && part(rows[f.line], 'parts.0')));
      input ? blame(input, f.says[0].toUpperCase() + f.says.slice(1)) : whole.push(f.says);
    }
    const list = (title, kind, lines) => lines?.length ? [make('div', { className: 'note ' + kind }, make('div', {}, make('strong', {}, title), make('ul', {}, ...lines.map(l => make('li', {}, l)))))] : [];
    const diff = (a.diff ?? []).map(l => make('div', { className: l[0] === '+' ? 'came' : 'went' }, l));
    said.replaceChildren(...list('This does not work yet', 'bad', whole), ...list('Look at this', 'wait', a.warnings),
      ...(diff.length ? [make('div', { className: 'pre' }, ...diff)] : []));
  };
  // Whoever begins the last row gets an empty one below it, as the button would give.
  const grow = row => {
    const all = $$('.member', form), n = all.length - 1;
    if (row !== all[n]) return;
    const next = row.cloneNode(true);
    $$('.row-hint, .fault', next).forEach(el => el.remove());
    renumber(next, n + 1);
    for (const el of $$('*', next)) {
      if ('value' in el && el.tagName !== 'OPTION') el.value = '';
      el.removeAttribute('aria-invalid');
      el.removeAttribute('autofocus');
    }
    if ($('.parts', next)) into(next, '');
    row.after(next);
  };
  const typed = e => {
    const row = e.target.closest('.member');
    if (!row) return;
    grow(row);
    shape(row, e.type === 'change' && e.target === part(row, 'type'));
    hint(row);
    clearTimeout(timer);
    timer = setTimeout(look, 300);
  };
  form.addEventListener('input', typed);
  form.addEventListener('change', typed);
  $$('.member', form).forEach(hint);
  if ($$('.member', form).length > 1) look();
}

// ── passkeys: the browser answers, and that sends the form ──
for (const box of $$('[data-passkey]')) {
  const input = $('input', box), button = $('button', box), said = $('.fault', box);
  if (!globalThis.PublicKeyCredential?.parseRequestOptionsFromJSON) {
    said.textContent ||= 'This browser does not know passkeys.';
    continue;
  }
  button.classList.remove('later');
  button.addEventListener('click', async () => {
    said.textContent = '';
    try {
      const options = JSON.parse((await query(box.dataset.passkey)).options);
      const publicKey = options.user ? PublicKeyCredential.parseCreationOptionsFromJSON(options) : PublicKeyCredential.parseRequestOptionsFromJSON(options);
      const answer = await (options.user ? navigator.credentials.create({ publicKey }) : navigator.credentials.get({ publicKey }));
      input.value = JSON.stringify(answer.toJSON());
      input.form.requestSubmit($('button[value=run]:not(.sr)', input.form));
    } catch (e) {
      said.textContent = e.name === 'NotAllowedError' ? 'Nothing was chosen, or it took too long. Try again.' : e.message;
    }
  });
}

// ── the search palette: a combobox over the server's answers ──
function palette() {
  if ($('dialog.palette')) return;
  const input = make('input', { type: 'text', role: 'combobox', placeholder: 'Go to a page, an object or a task', autocomplete: 'off', spellcheck: false });
  for (const [k, v] of Object.entries({ 'aria-label': 'Search', 'aria-controls': 'found', 'aria-expanded': 'true', 'aria-autocomplete': 'list' })) input.setAttribute(k, v);
  const list = make('ul', { id: 'found', role: 'listbox', 'aria-label': 'Results' });
  const tail = make('p', { role: 'status' }, '');
  const d = make('dialog', { className: 'palette', 'aria-label': 'Search' }, input, list, tail);
  let at = 0, turn = 0, hits = [];
  const mark = n => {
    at = (n + hits.length) % Math.max(hits.length, 1);
    $$('li', list).forEach((li, i) => li.setAttribute('aria-selected', i === at));
    const li = list.children[at];
    li?.scrollIntoView({ block: 'nearest' });
    li ? input.setAttribute('aria-activedescendant', li.id) : input.removeAttribute('aria-activedescendant');
  };
  const look = async () => {
    const mine = ++turn;
    let answer = [];
    try {
      const r = await fetch('/search.json?q=' + encodeURIComponent(input.value));
      answer = r.ok ? await r.json() : [];
    } catch { /* offline: an empty list says enough */ }
    if (mine !== turn) return;
    hits = answer;
    list.replaceChildren(...hits.map((h, i) => make('li', { id: 'hit' + i, role: 'option', onclick: () => go(h.url) }, make('b', {}, h.name), make('small', {}, h.kind))));
    tail.textContent = hits.length ? '↑ ↓ choose · Enter opens · Esc closes' : 'Nothing found. Try part of a name.';
    mark(0);
  };
  input.addEventListener('input', look);
  input.addEventListener('keydown', e => {
    if (e.key === 'ArrowDown') mark(at + 1);
    else if (e.key === 'ArrowUp') mark(at - 1);
    else if (e.key === 'Enter' && hits[at]) go(hits[at].url);
    else return;
    e.preventDefault();
  });
  d.addEventListener('close', () => d.remove());
  d.addEventListener('click', e => e.target === d && d.close());
  document.body.append(d);
  d.showModal();
  look();
}

// ── keys: / and Ctrl-K search, g + letter goes, j k walk a table, ? says so ──
const jumps = Object.fromEntries($$('[data-go]').map(a => [a.dataset.go, a]));
const rows = () => $$('.grid tbody tr').filter(r => $('a[href]', r));
function walk(step) {
  const all = rows(), now = all.findIndex(r => r.contains(document.activeElement));
  $('a[href]', all[Math.min(Math.max(now + step, 0), all.length - 1)] ?? document.body)?.focus();
}
function help() {
  const list = make('dl', { className: 'shortcuts' });
  const add = (keys, text) => list.append(make('dt', {}, ...keys.split(' ').flatMap(k => [make('kbd', {}, k), ' '])), make('dd', {}, text));
  add('/', 'Search, also Ctrl K');
  add('j k', 'Next and previous row');
  add('t', 'Light, dark, or as the system');
  for (const [k, a] of Object.entries(jumps)) add('g ' + k, a.dataset.name);
  add('?', 'This list');
  add('Esc', 'Close');
  dialog('Keys', list);
}
let pending = 0;
document.addEventListener('keydown', e => {
  if ((e.ctrlKey || e.metaKey) && e.key.toLowerCase() === 'k') { e.preventDefault(); palette(); return; }
  if (root.dataset.keys === 'off' || e.ctrlKey || e.metaKey || e.altKey || typing(e.target) || $('dialog[open]')) return;
  const after = Date.now() - pending < 1500;
  pending = 0;
  root.classList.remove('keys');
  if (after) { jumps[e.key] && go(jumps[e.key].href); return; }
  const act = { '/': palette, '?': help, j: () => walk(1), k: () => walk(-1), t: theme, g: () => { pending = Date.now(); root.classList.add('keys'); } }[e.key];
  if (act) { e.preventDefault(); act(); }
});
function theme() {
  const all = $$('form.theme button');
  all[(all.findIndex(b => b.getAttribute('aria-pressed') === 'true') + 1) % all.length]?.click();
}
$$('[data-help]').forEach(b => { b.hidden = false; b.addEventListener('click', () => { b.closest('[popover]')?.hidePopover(); help(); }); });
$$('form.find').forEach(f => f.addEventListener('focusin', e => { if (matchMedia('(hover: hover)').matches) { e.target.blur(); palette(); } }));

// ── live tail: new rows arrive on top while the box is ticked ──
for (const box of $$('[data-live]')) {
  let source = null;
  const body = $(box.dataset.into);
  const most = 200;
  const stop = () => { source?.close(); source = null; };
  box.closest('.later')?.classList.remove('later');
  box.addEventListener('change', () => {
    stop();
    if (!box.checked) return;
    source = new EventSource(box.dataset.live);
    source.onmessage = e => {
      const first = $('template', body.parentElement) ?? body.rows[0];
      const row = (first.content?.firstElementChild ?? first).cloneNode(true);
      const item = JSON.parse(e.data);
      for (const cell of $$('[data-cell]', row)) {
        const value = item[cell.dataset.cell] ?? '';
        cell.textContent = cell.tagName === 'TIME' ? String(value).slice(0, 19).replace('T', ' ') : value;
        if (cell.tagName === 'TIME') cell.dateTime = value;
        if (cell.dataset.href) cell.setAttribute('href', cell.dataset.href.replace('{}', encodeURIComponent(item[cell.dataset.key] ?? '')));
      }
      times(row);
      body.prepend(row);
      while (body.rows.length > most) body.lastElementChild.remove();
    };
    source.addEventListener('end', () => { stop(); box.checked = false; });
  });
  addEventListener('pagehide', stop);
}

// ── progress of long work ──
for (const p of $$('progress[data-poll]')) {
  const look = async () => {
    const r = await fetch(p.dataset.poll).then(r => (r.ok ? r.json() : null)).catch(() => null);
    if (!r || r.done) return location.reload();
    p.value = r.share;
    setTimeout(look, 1000);
  };
  setTimeout(look, 1000);
}
