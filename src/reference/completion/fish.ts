import type { CompletionCommand, CompletionOption, CompletionWords, ValueKind } from './words.ts';

/** The script for fish: one line for each word that can be offered, with the command that it belongs to. */
export function fishCompletion({ commands, globalOptions }: CompletionWords): string {
  const valued = [...commands.flatMap(({ options }) => options), ...globalOptions].filter(
    ({ value }) => value?.required === true,
  );
  const paths = commands.map(({ path }) => path).filter((path) => path !== '');
  return `# fish completion of eventcore, made by \`eventcore completion fish\`.

set -g __eventcore_commands ${paths.map(quotedForFish).join(' ')}
set -g __eventcore_valued ${[...new Set(valued.flatMap(({ names }) => names))].join(' ')}

# The command that the words before the cursor lead to.
function __eventcore_path
    set -l path
    set -l skips no
    for word in (commandline -opc)[2..]
        if test $skips = yes
            set skips no
        else if contains -- $word $__eventcore_valued
            set skips yes
        else if contains -- "$path $word" " "$__eventcore_commands
            set path "$path $word"
        end
    end
    string trim -- "$path"
end

function __eventcore_at
    set -l path (__eventcore_path)
    test "$path" = "$argv[1]"
end

function __eventcore_addresses
    set -l word (commandline -ct)
    set -l rest (string replace -r '^(sqlite|file|eventcore-fs):' '' -- $word)
    if test "$rest" != "$word"
        set -l scheme (string replace -r ':.*' ':' -- $word)
        string replace -r '^' $scheme -- (__fish_complete_path $rest)
    else
        printf '%s\\n' sqlite: postgres:// file: s3://
        __fish_complete_path $word
    end
end

# Asks the vault that the line names, for two seconds at most; without an answer nothing is offered.
function __eventcore_backups
    set -l words (commandline -opc)
    set -l where
    for i in (seq 2 (count $words))
        if contains -- $words[$i] --config --vault
            set -a where $words[$i] $words[(math $i + 1)]
        else if string match -qr '^--(config|vault)=' -- $words[$i]
            set -a where $words[$i]
        end
    end
    $words[1] completion --backups $where 2>/dev/null </dev/null | string match -r '^[0-9a-f-]+\\t.*'
end

complete -c eventcore -f
${commands.flatMap(commandLines).join('\n')}
${globalOptions.map((option) => optionLine('', option)).join('\n')}
`;
}

function commandLines({ path, commands, options, argument }: CompletionCommand): string[] {
  const at = `-n ${quotedForFish(`__eventcore_at ${quotedForFish(path)}`)} `;
  return [
    ...commands.map(
      ({ name, description }) => `complete -c eventcore ${at}-a ${name} -d ${quotedForFish(description)}`,
    ),
    ...options.map((option) => optionLine(at, option)),
    ...(argument === null
      ? []
      : [`complete -c eventcore ${at}${offer(argument.kind, argument.choices)}`.trimEnd()]),
  ];
}

function optionLine(at: string, { names, description, value, choices }: CompletionOption): string {
  const flags = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`));
  const takes = value === null ? [] : [taken(value), offer(value.kind, choices)];
  const words = ['complete -c eventcore', at.trim(), ...flags, '-d', quotedForFish(description), ...takes];
  return words.filter((word) => word !== '').join(' ');
}

/** Whether a value must follow, and whether it may be any file. */
function taken({ kind, required }: NonNullable<CompletionOption['value']>): string {
  if (!required) return '';
  return kind === 'file' ? '-r' : '-x';
}

/** What stands behind \`-a\` is run through the shell's own expansion: fixed words, and functions of this script only. */
function offer(kind: ValueKind, choices: readonly string[]): string {
  const offers: Readonly<Record<ValueKind, string>> = {
    file: '-F',
    folder: "-a '(__fish_complete_directories)'",
    address: "-a '(__eventcore_addresses)'",
    backup: "-k -a '(__eventcore_backups)'",
    choice: `-a '${choices.join(' ')}'`,
    text: '',
  };
  return offers[kind];
}

/** In single quotes fish reads a backslash before a quote and before itself. */
function quotedForFish(text: string): string {
  const line = text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ');
  return `'${line.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
