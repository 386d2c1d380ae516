// What a browser adds to pages that work without it: they come again by themselves, copy commands, tell local times and remember a theme.
(() => {
  const root = document.documentElement;

  // Theme: system, light, dark, and round again.

  const THEMES = ['system', 'light', 'dark'];
  const themeSwitch = document.querySelector('[data-theme-switch]');

  function showTheme() {
    if (themeSwitch !== null) themeSwitch.textContent = `Theme: ${root.dataset.theme ?? 'system'}`;
  }

  themeSwitch?.addEventListener('click', () => {
    const next = THEMES[(THEMES.indexOf(root.dataset.theme ?? 'system') + 1) % THEMES.length];
    if (next === 'system') delete root.dataset.theme;
    else root.dataset.theme = next;
    try {
      localStorage.setItem('theme', next);
    } catch {
      // It counts for this page alone.
    }
    showTheme();
  });
  showTheme();

  // Menus close with Escape, and when one goes elsewhere.

  for (const menu of document.querySelectorAll('details[data-menu]')) {
    document.addEventListener('click', (event) => {
      if (!menu.contains(event.target)) menu.open = false;
    });
    menu.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || !menu.open) return;
      menu.open = false;
      menu.querySelector('summary').focus();
    });
    menu.addEventListener('focusout', (event) => {
      if (event.relatedTarget !== null && !menu.contains(event.relatedTarget)) menu.open = false;
    });
  }

  // Commands are copied.

  document.addEventListener('click', async (event) => {
    const button = event.target instanceof Element ? event.target.closest('[data-copy]') : null;
    if (button === null) return;
    const code = button.parentElement.querySelector('code');
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = 'Copied';
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = 'Selected';
    }
    setTimeout(() => {
      button.textContent = 'Copy';
    }, 2000);
  });

  // Times tell those of whoever reads when one points at them.

  const localTime = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'long' });

  document.addEventListener('pointerover', (event) => {
    const time = event.target instanceof Element ? event.target.closest('time[datetime]') : null;
    if (time === null || time.title !== '') return;
    const date = new Date(time.dateTime);
    if (!Number.isNaN(date.getTime())) time.title = localTime.format(date);
  });

  // Whoever fills in a field of a choice has chosen it; a click into the picture of a window fills in the instant.

  document.addEventListener('input', (event) => {
    const choice = event.target instanceof Element ? event.target.getAttribute('data-chooses') : null;
    if (choice !== null) document.getElementById(choice).checked = true;
  });

  document.addEventListener('click', (event) => {
    const picture = event.target instanceof Element ? event.target.closest('.picking .picture') : null;
    if (picture === null) return;
    const { fromMs, toMs } = picture.closest('[data-from-ms]').dataset;
    const { left, width } = picture.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - left) / width));
    const ms = Number(fromMs) + share * (Number(toMs) - Number(fromMs));
    const field = document.getElementById(picture.closest('[data-picks]').dataset.picks);
    field.value = `${new Date(ms).toISOString().slice(0, 19)}Z`;
    field.dispatchEvent(new Event('input', { bubbles: true }));
    field.focus();
  });

  // Pages come again: what changed in them is replaced, piece by piece.

  const LEAST_MS = 1000;
  const FIRST_RETRY_MS = 2000;
  const LONGEST_RETRY_MS = 60_000;
  const ANSWER_WITHIN_MS = 15_000;
  let timer;
  let failures = 0;
  let awaySince = null;

  function plan(ms) {
    clearTimeout(timer);
    timer = setTimeout(refresh, Math.max(ms, LEAST_MS));
  }

  /** Somebody works in it: it is left alone. */
  function isInUse(element) {
    if (element.contains(document.activeElement) && document.activeElement !== document.body) return true;
    const selection = getSelection();
    if (selection !== null && !selection.isCollapsed && selection.containsNode(element, true)) return true;
    return [...element.querySelectorAll('input, textarea, select')].some(isChanged);
  }

  function isChanged(field) {
    if (field.matches('select'))
      return [...field.options].some((option) => option.selected !== option.defaultSelected);
    if (field.matches('[type=checkbox], [type=radio]')) return field.checked !== field.defaultChecked;
    return field.type !== 'hidden' && field.value !== field.defaultValue;
  }

  /** What of the old one is kept: which details are open, and how far what scrolls was scrolled. */
  function carryOver(old, fresh) {
    const was = [...old.querySelectorAll('details')];
    for (const [i, details] of [...fresh.querySelectorAll('details')].entries()) {
      const before = details.id === '' ? was[i] : was.find(({ id }) => id === details.id);
      if (before !== undefined) details.open = before.open;
    }
    return [...old.querySelectorAll('.table-wrap, pre')].map(({ scrollLeft, scrollTop }) => ({
      scrollLeft,
      scrollTop,
    }));
  }

  /** As the server sent it: what a reader opened or hovered over makes no difference. */
  const sent = new Map(
    [...document.querySelectorAll('[data-live][id]')].map((element) => [element.id, element.outerHTML]),
  );

  function replaceLive(fresh) {
    for (const element of document.querySelectorAll('[data-live][id]')) {
      const next = fresh.getElementById(element.id);
      if (next === null || next.outerHTML === sent.get(element.id) || isInUse(element)) continue;
      sent.set(element.id, next.outerHTML);
      const scrolled = carryOver(element, next);
      const put = document.adoptNode(next);
      element.replaceWith(put);
      for (const [i, wrap] of [...put.querySelectorAll('.table-wrap, pre')].entries()) {
        if (scrolled[i] !== undefined) Object.assign(wrap, scrolled[i]);
      }
    }
    document.title = fresh.title;
  }

  async function refresh() {
    if (document.hidden) return;
    try {
      const response = await fetch(location.href, {
        headers: { accept: 'text/html', 'x-live': '1' },
        redirect: 'manual',
        signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
      });
      if (response.type === 'opaqueredirect' || response.status === 401 || response.status === 403) {
        tell('You are logged out, or may not see this any more. Load the page again.');
        return;
      }
      if (response.status === 429 || response.status >= 500) throw new Error(`status ${response.status}`);
      replaceLive(new DOMParser().parseFromString(await response.text(), 'text/html'));
      failures = 0;
      awaySince = null;
      tell('');
      const afterMs = Number(response.headers.get('x-refresh-after'));
      if (afterMs > 0) plan(afterMs);
    } catch {
      awaySince ??= new Date();
      tell(
        `The daemon does not answer since ${awaySince.toISOString().slice(11, 19)} UTC. What you see is as of then.`,
      );
      const wait = Math.min(FIRST_RETRY_MS * 2 ** failures, LONGEST_RETRY_MS);
      failures += 1;
      plan(wait * (0.75 + Math.random() / 2));
    }
  }

  function tell(text) {
    const bar = document.getElementById('connection');
    if (bar.textContent !== text) bar.textContent = text;
  }

  const firstMs = Number(root.dataset.refreshAfter);
  if (firstMs > 0 && document.querySelector('[data-live]') !== null) {
    plan(firstMs);
    document.addEventListener('visibilitychange', () => {
      if (document.hidden) clearTimeout(timer);
      else plan(LEAST_MS);
    });
  }
})();
