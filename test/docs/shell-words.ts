/** Commands in a text as a shell reads it, as far as pages need it: quotes, comments, and what stands between commands. */

const TOKEN =
  /[^\S\n]*(?:(#[^\n]*)|(\n|&&|\|\||[;|&()]|[<>]+&?\d?)|((?:"(?:[^"\\]|\\[\s\S])*"|'[^']*'|\\[\s\S]|[^\s"'\\;|&()<>])+))/gy;

/** Each simple command as its words. What is redirected to or from stays out, and so do variables set in front. */
export function readCommands(text: string): string[][] {
  const commands: string[][] = [[]];
  let isRedirected = false;
  for (const [, comment, operator, word] of text.replaceAll('\\\n', ' ').matchAll(TOKEN)) {
    if (comment !== undefined) continue;
    if (operator !== undefined) {
      isRedirected = /[<>]/.test(operator);
      if (!isRedirected) commands.push([]);
    } else if (isRedirected) isRedirected = false;
    else commands.at(-1)!.push(unquote(word!));
  }
  return commands
    .map((words) => words.slice(words.findIndex((word) => !/^\w+=/.test(word))))
    .filter(({ length }) => length > 0);
}

function unquote(word: string): string {
  return word.replaceAll(/"((?:[^"\\]|\\[\s\S])*)"|'([^']*)'|\\([\s\S])/g, (_, double, single, escaped) =>
    double === undefined ? (single ?? escaped) : double.replaceAll(/\\([\s\S])/g, '$1'),
  );
}
