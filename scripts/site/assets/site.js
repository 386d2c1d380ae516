/** The search: all words must be there; titles count more than text. Without a script the pages are whole, but for it. */
const MOST = 12;
const AROUND = 60;
const root = document.currentScript.dataset.root;
const form = document.querySelector('form[role="search"]');
const input = form.querySelector('input');
const list = form.querySelector('ul');
let loading = null;
let chosen = -1;

const menu = document.querySelector('.menu');
const here = menu.querySelector('[aria-current]');
if (here !== null) menu.scrollTop = here.offsetTop - innerHeight / 3;
// Where there is little room, it is opened when it is asked for.
menu.open = matchMedia('(width > 52rem)').matches;

form.hidden = false;
form.addEventListener('submit', (event) => {
  event.preventDefault();
  list.children[Math.max(chosen, 0)]?.click();
});
input.addEventListener('focus', load);
input.addEventListener('input', () => load().then(show));
input.addEventListener('keydown', ({ key }) => {
  if (key === 'Escape') close();
  if (key === 'ArrowDown' || key === 'ArrowUp') choose(chosen + (key === 'ArrowDown' ? 1 : -1));
});
document.addEventListener('keydown', (event) => {
  if (event.key !== '/' || event.target.matches('input, textarea')) return;
  event.preventDefault();
  input.focus();
});
document.addEventListener('click', (event) => {
  if (!form.contains(event.target)) close();
});

function load() {
  loading ??= new Promise((resolve) => {
    const script = document.createElement('script');
    script.src = `${root}/search-index.js`;
    script.onload = resolve;
    document.head.append(script);
  });
  return loading;
}

function show() {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = words.length === 0 ? [] : find(words);
  list.replaceChildren(...found.map((section, at) => item(section, words, at)));
  list.hidden = found.length === 0;
  input.setAttribute('aria-expanded', String(found.length > 0));
  choose(0);
}

function find(words) {
  return globalThis.searchIndex
    .map((section) => ({ section, weight: weigh(section, words) }))
    .filter(({ weight }) => weight > 0)
    .sort((one, other) => other.weight - one.weight)
    .slice(0, MOST)
    .map(({ section }) => section);
}

function weigh({ page, title, text }, words) {
  let weight = 0;
  for (const word of words) {
    const isTitle = title.toLowerCase().includes(word);
    const isPage = page.toLowerCase().includes(word);
    const times = text.toLowerCase().split(word).length - 1;
    if (!isTitle && !isPage && times === 0) return 0;
    weight += (isTitle ? 20 : 0) + (isPage ? 10 : 0) + Math.min(times, 5);
  }
  return weight;
}

function item({ url, page, title, text }, words, at) {
  const element = document.createElement('li');
  const said = document.createElement('span');
  const place = Math.max(0, text.toLowerCase().indexOf(words[0]) - AROUND / 2);
  said.textContent = text.slice(place, place + 2 * AROUND);
  element.id = `found-${at}`;
  element.role = 'option';
  element.append(title === page ? page : `${page}: ${title}`, said);
  element.addEventListener('click', () => {
    close();
    location.assign(`${root}/${url}`);
  });
  return element;
}

function choose(at) {
  const items = [...list.children];
  chosen = items.length === 0 ? -1 : (at + items.length) % items.length;
  for (const [index, element] of items.entries()) {
    element.setAttribute('aria-selected', String(index === chosen));
    if (index === chosen) element.scrollIntoView({ block: 'nearest' });
  }
  if (chosen === -1) input.removeAttribute('aria-activedescendant');
  else input.setAttribute('aria-activedescendant', `found-${chosen}`);
}

function close() {
  list.hidden = true;
  input.setAttribute('aria-expanded', 'false');
}
