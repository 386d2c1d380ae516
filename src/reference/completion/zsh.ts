import {
  type CompletionCommand,
  type CompletionOption,
  type CompletionWords,
  quoted,
  type ValueKind,
} from './words.ts';

/** The script for zsh: a function for each command, which `_arguments` reads. It goes into a folder of `fpath`, or is sourced. */
export function zshCompletion({ commands, globalOptions }: CompletionWords): string {
  return `#compdef eventcore
# zsh completion of eventcore, made by \`eventcore completion zsh\`.

_eventcore_addresses() {
  if compset -P '(sqlite|file|eventcore-fs):'; then
    _files
  else
    local -a schemes=(sqlite: postgres:// file: s3://)
    compadd -S '' -a schemes
    _files
  fi
}

# Asks the vault that the line names, for two seconds at most; without an answer nothing is offered.
_eventcore_backups() {
  local -a where found
  local i line
  for ((i = 2; i <= $#_eventcore_line; i++)); do
    case $_eventcore_line[i] in
      --config|--vault) where+=("$_eventcore_line[i]" "\${(Q)_eventcore_line[i+1]}") ;;
      --config=*|--vault=*) where+=("\${(Q)_eventcore_line[i]}") ;;
    esac
  done
  for line in "\${(@f)$(command $_eventcore_line[1] completion --backups $where 2>/dev/null </dev/null)}"; do
    [[ $line =~ '^[0-9a-f-]+'$'\\t' ]] && found+=("\${line/$'\\t'/:}")
  done
  (( $#found )) && _describe -t backups backup found
}

_eventcore_options=(
${globalOptions.map((option) => `  ${optionSpec(option)}`).join('\n')}
)

${commands.map(commandFunction).join('\n\n')}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _eventcore "$@"
else
  compdef _eventcore eventcore
fi
`;
}

function commandFunction(command: CompletionCommand): string {
  const { path, options, argument } = command;
  const body = command.commands.length > 0 ? withCommands(command) : [];
  const specs = options.map((option) => `    ${optionSpec(option)} \\`);
  const argumentSpec =
    argument === null || command.commands.length > 0
      ? []
      : [
          `    ${quoted(`${argument.variadic ? '*' : '1'}:${argument.name}:${action(argument.kind, argument.choices)}`)} \\`,
        ];
  const states = body.length === 0 ? [] : [`    '1: :->command' \\`, `    '*:: :->words' \\`];
  return [
    `${functionName(path)}() {`,
    ...(path === '' ? ['  local -a _eventcore_line=("${words[@]}")'] : []),
    ...(body.length === 0 ? [] : ['  local curcontext=$curcontext state line', '  local -a commands']),
    `  _arguments -s -S ${body.length === 0 ? '' : '-C '}\\`,
    ...[...specs, ...argumentSpec, ...states],
    '    $_eventcore_options',
    ...body,
    '}',
  ].join('\n');
}

function withCommands({ path, commands }: CompletionCommand): string[] {
  return [
    '  case $state in',
    '    command)',
    '      commands=(',
    ...commands.map(
      ({ name, description }) => `        ${quoted(`${name}:${description.replaceAll('\\', '\\\\')}`)}`,
    ),
    '      )',
    "      _describe -t commands 'command' commands",
    '      ;;',
    '    words)',
    '      case $line[1] in',
    ...commands.map(({ name }) => `        ${name}) ${functionName(`${path} ${name}`.trim())} ;;`),
    '      esac',
    '      ;;',
    '  esac',
  ];
}

function functionName(path: string): string {
  return path === '' ? '_eventcore' : `_eventcore_${path.replaceAll(/[ -]/g, '_')}_words`;
}

/** `(-m --mode){-m,--mode}[says]:how:(fast slow)`, in words that zsh does not look into. */
function optionSpec({ names, description, value, choices, repeatable }: CompletionOption): string {
  const told = `[${escapeSpec(description)}]`;
  const after =
    value === null ? '' : `${value.required ? ':' : '::'}${value.name}:${action(value.kind, choices)}`;
  const others = repeatable ? '*' : `(${names.join(' ')})`;
  return names.map((name) => quoted(`${others}${name}${value === null ? '' : '='}${told}${after}`)).join(' ');
}

/** Within brackets a bracket would end them, and a colon begin what follows. */
function escapeSpec(text: string): string {
  return text.replaceAll(/[\\[\]:]/g, (sign) => `\\${sign}`);
}

function action(kind: ValueKind, choices: readonly string[]): string {
  const actions: Readonly<Record<ValueKind, string>> = {
    file: '_files',
    folder: '_path_files -/',
    address: '_eventcore_addresses',
    backup: '_eventcore_backups',
    choice: `(${choices.join(' ')})`,
    text: ' ',
  };
  return actions[kind];
}
