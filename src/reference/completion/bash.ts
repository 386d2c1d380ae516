import type { CompletionCommand, CompletionOption, CompletionWords } from './words.ts';

/**
 * The script for bash, from 3.2 on (that of macOS). It reads the line itself, since bash cuts words at `:` and `=`, which addresses have, and
 * gives back only what stands behind the last of them.
 */
export function bashCompletion(words: CompletionWords): string {
  return `# bash completion of eventcore, made by \`eventcore completion bash\`.

# What may stand behind a command.
_eventcore_at() {
  commands='' options='' argument='' choices=''
  case "$1" in
${words.commands.map(commandCase).join('\n')}
  esac
  options="$options ${optionNames(words.globalOptions)}"
}

# What an option's value is: nothing where it takes none.
_eventcore_value() {
  value=''
  case "$1" in
${valueCases(words).join('\n')}
  esac
}

${FUNCTIONS}`;
}

const FUNCTIONS = `_eventcore_offer() {
  local word
  for word in $1; do
    [[ $word == "$cur"* ]] && COMPREPLY+=("$before$word")
  done
}

_eventcore_paths() {
  local path
  compopt -o filenames 2>/dev/null
  while IFS= read -r path; do
    COMPREPLY+=("$before$path")
  done < <(compgen "$1" -- "$cur")
}

_eventcore_addresses() {
  case "$cur" in
    sqlite:*|file:*|eventcore-fs:*)
      before="$before\${cur%%:*}:"
      cur="\${cur#*:}"
      _eventcore_paths -f
      ;;
    *://*) ;;
    *)
      compopt -o nospace 2>/dev/null
      _eventcore_offer 'sqlite: postgres:// file: s3://'
      [[ $cur == [./~]* ]] && _eventcore_paths -f
      ;;
  esac
}

# Asks the vault that the line names, for two seconds at most; without an answer nothing is offered.
_eventcore_backups() {
  local id where=() i
  for ((i = 1; i < last; i++)); do
    case "\${line[i]}" in
      --config|--vault) where+=("\${line[i]}" "\${line[i + 1]}") ;;
      --config=*|--vault=*) where+=("\${line[i]}") ;;
    esac
  done
  while IFS=$'\\t' read -r id _; do
    [[ $id =~ ^[0-9a-f-]+$ ]] && _eventcore_offer "$id"
  done < <("\${line[0]}" completion --backups "\${where[@]}" 2>/dev/null </dev/null)
}

_eventcore_kind() {
  case "$1" in
    file) _eventcore_paths -f ;;
    folder) _eventcore_paths -d ;;
    address) _eventcore_addresses ;;
    backup) _eventcore_backups ;;
    choice) _eventcore_offer "$choices" ;;
  esac
}

# Follows the words before the last one: which command they lead to, and whether the last one is an option's value.
_eventcore_walk() {
  local i
  _eventcore_at ''
  for ((i = 1; i < last; i++)); do
    if [[ $value == !* ]]; then value=''; continue; fi
    value=''
    case "\${line[i]}" in
      --*=*) ;;
      -*) _eventcore_value "$path \${line[i]}" ;;
      *)
        if [[ " $commands " == *" \${line[i]} "* ]]; then
          path="\${path:+$path }\${line[i]}"
          _eventcore_at "$path"
        fi
        ;;
    esac
  done
}

_eventcore() {
  local line cur last path='' before='' commands options argument value='' choices='' cut='' i
  COMPREPLY=()
  IFS=$' \\t\\n' read -ra line <<< "\${COMP_LINE:0:COMP_POINT}"
  [[ \${COMP_LINE:0:COMP_POINT} == *[[:space:]] ]] && line+=('')
  last=$((\${#line[@]} - 1))
  cur="\${line[last]}"
  _eventcore_walk
  if [[ $value == !* ]]; then
    _eventcore_kind "\${value#!}"
  elif [[ $cur == --*=* ]]; then
    _eventcore_value "$path \${cur%%=*}"
    before="\${cur%%=*}="
    cur="\${cur#*=}"
    _eventcore_kind "\${value#!}"
  elif [[ $cur == -* ]]; then
    _eventcore_offer "$options"
  else
    _eventcore_kind "$value"
    _eventcore_offer "$commands"
    _eventcore_kind "$argument"
  fi
  # bash itself has only what stands behind the last \`:\` or \`=\` in hand.
  for i in : =; do
    [[ $COMP_WORDBREAKS == *$i* && $before == *$i* && \${#cut} -lt \${#before} ]] && cut="\${before%"\${before##*$i}"}"
  done
  for i in "\${!COMPREPLY[@]}"; do
    COMPREPLY[i]="\${COMPREPLY[i]#"$cut"}"
  done
}

complete -F _eventcore eventcore
`;

function commandCase({ path, commands, options, argument }: CompletionCommand): string {
  return [
    `    '${path}')`,
    `      commands='${commands.map(({ name }) => name).join(' ')}'`,
    `      options='${optionNames(options)}'`,
    ...(argument === null
      ? []
      : [`      argument='${argument.kind}' choices='${argument.choices.join(' ')}'`]),
    '      ;;',
  ].join('\n');
}

function optionNames(options: readonly CompletionOption[]): string {
  return options.flatMap(({ names }) => names).join(' ');
}

/** `!` says that a value must follow. A line begins with the command's path, so that one option can mean two things. */
function valueCases({ commands, globalOptions }: CompletionWords): string[] {
  const own = commands.flatMap(({ path, options }) =>
    options.map((option) => valueCase(`'${path} `, option)),
  );
  return [...own, ...globalOptions.map((option) => valueCase("*' ", option))].filter((line) => line !== '');
}

function valueCase(before: string, { names, value, choices }: CompletionOption): string {
  if (value === null) return '';
  const patterns = names.map((name) => `${before}${name}'`).join('|');
  const said = value.kind === 'choice' ? ` choices='${choices.join(' ')}'` : '';
  return `    ${patterns}) value='${value.required ? '!' : ''}${value.kind}'${said} ;;`;
}
