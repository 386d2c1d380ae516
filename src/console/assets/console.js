// What a browser adds to pages that work without it: no more than comfort.

for (const button of document.querySelectorAll('[data-copy]')) {
  button.hidden = false;
}
