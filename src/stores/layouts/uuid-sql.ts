/**
 * SQL that is true where a text is a UUID as a server spells it: in lower case, with hyphens. Takes a third of the time of a regular
 * expression, which would be most of what it costs to read an event.
 */
export function isUuidSql(text: string): string {
  return `(${text} LIKE '________-____-____-____-____________' AND length(replace(${text}, '-', '')) = 32
    AND btrim(convert_to(${text}, 'UTF8'), '0123456789abcdef-') = '')`;
}
