import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  beginsWithFence,
  fencedHba,
  type HbaRule,
  joinFence,
  readFence,
  trialName,
  unfencedHba,
} from '../../../src/servers/postgres/hba-fence.ts';
import { logicalLine, splitFields } from '../../../src/servers/postgres/hba-lines.ts';

const admin = { role: 'dr', groups: ['dr', 'keepers'], patterns: ['/^d'] };

/** As the server lists them: of each line what it holds. */
function rulesOf(text: string, error: string | null = null): HbaRule[] {
  return text.split('\n').flatMap((_, i) => {
    const line = logicalLine(text, i + 1);
    const fields = splitFields(line);
    if (fields.length < 4 || text.split('\n')[i - 1]?.endsWith('\\') === true) return [];
    const users = fields[2]!.tokens.map((token) => (token.text === '@admins' ? 'dr' : token.text));
    return [{ line, users, folder: '/etc/pg', error }];
  });
}

function block(text: string): string[] {
  return text.slice(0, text.indexOf('\n# eventcore fence end\n')).split('\n').slice(3);
}

function fenceOf(text: string): string[] {
  return block(fencedHba(text, rulesOf(text), admin, 'plan-1'));
}

const name = trialName('plan-1');
const LAST = [
  `local all "${name}" scram-sha-256`,
  `host all "${name}" all scram-sha-256`,
  'local all all reject',
  'host all all all reject',
];

test('the role is let in as the rules let it in, and nobody else', () => {
  const text = `# who may
local   all        postgres                 peer map=keepers
host    shop,all   "app",dr                 10.0.0.0/8     scram-sha-256 # apps
host    all        +keepers                 10.1.0.0 255.255.0.0 reject
hostssl samerole   all                      samehost cert clientcert=verify-full
host    all        +other,"+keepers","all"  0.0.0.0/0 trust
host    "a b"      /^d                      ::1/128 ldap ldapserver="a b" ldapbindpasswd="x ""#y"
host    replication dr                      0.0.0.0/0 scram-sha-256
host    @dbs,x     @admins                  all md5
`;
  assert.deepEqual(fenceOf(text), [
    'host shop,all "dr" 10.0.0.0/8     scram-sha-256',
    'host all "dr" 10.1.0.0 255.255.0.0 reject',
    'hostssl samerole "dr" samehost cert clientcert=verify-full',
    'host "a b" "dr" ::1/128 ldap ldapserver="a b" ldapbindpasswd="x ""#y"',
    'host @"/etc/pg/dbs",x "dr" all md5',
    ...LAST,
  ]);
});

test('a rule over several lines becomes one, and a backslash at its end does not take in the next one', () => {
  const text =
    'local \\\n all \\\n all \\\n trust\nhost all all all ldap ldapprefix=a\\\\\n\nlocal all x trust\n';
  assert.deepEqual(fenceOf(text), [
    'local all "dr" trust',
    'host all "dr" all ldap ldapprefix=a\\ ',
    ...LAST,
  ]);
});

test('a text with errors stands in comments, and what lets replication in is copied from its sound rules', () => {
  const text = 'local all,replication rep,@reps trust\nhost all \nlocal all dr peer\\';
  const rules = [...rulesOf(text), { line: 'host all ', users: [], folder: '/etc/pg', error: 'end-of-line' }];
  const fenced = fencedHba(text, rules, admin, 'plan-1');
  assert.deepEqual(block(fenced), [
    ...['local all "dr" peer', ...LAST, 'local replication rep,@"/etc/pg/reps" trust'],
  ]);
  assert.ok(
    fenced.endsWith('end\n#| local all,replication rep,@reps trust\n#| host all \n#| local all dr peer\\'),
  );
  assert.equal(unfencedHba(fenced, ''), text);
});

test('names beyond ASCII stand as their bytes', () => {
  const text = Buffer.from('local all bäcker peer\n').toString('latin1');
  const role = { role: 'bäcker', groups: ['bäcker'], patterns: [] };
  const fenced = fencedHba(text, rulesOf(text), role, 'plän "\\\n');
  assert.ok(Buffer.from(fenced, 'latin1').toString().includes('\nlocal all "bäcker" peer\n'));
  assert.deepEqual(readFence(fenced), { marks: ['plän "\\\n'], original: text });
});

test('several may set the same fence, and it goes as one', () => {
  const text = 'local all all trust\n';
  let fenced = fencedHba(text, rulesOf(text), admin, 'm0');
  for (let n = 1; n < 12; n += 1) fenced = joinFence(fenced, `m${n}`);
  fenced = joinFence(fenced, 'm5');
  const marks = ['m4', 'm6', 'm7', 'm8', 'm9', 'm10', 'm11', 'm5'];
  assert.deepEqual(readFence(fenced), { marks, original: text });
  assert.deepEqual(block(fenced), [
    'local all "dr" trust',
    ...marks.flatMap((mark) => [
      `local all "${trialName(mark)}" scram-sha-256`,
      `host all "${trialName(mark)}" all scram-sha-256`,
    ]),
    ...LAST.slice(2),
  ]);
});

const anyText = fc
  .array(
    fc.constantFrom(
      'local all all trust',
      'host all dr all md5',
      '# x \\',
      '#| y',
      '',
      '\\',
      'host a',
      '\r',
      'é',
      '"',
    ),
    { maxLength: 6 },
  )
  .map((lines) => lines.join('\n'));

test('whatever the text was, it comes back, and only our own rules stand before the end of the fence', () => {
  fc.assert(
    fc.property(anyText, fc.string(), fc.boolean(), (text, mark, hasError) => {
      const rules = rulesOf(text, hasError ? 'wrong' : null);
      const fenced = fencedHba(text, rules, admin, mark);
      assert.deepEqual(readFence(fenced), { marks: [mark], original: text });
      assert.equal(unfencedHba(fenced, ''), text);
      // COPY ends the last line.
      assert.equal(unfencedHba(`${fenced}\n`, ''), text);
      const lines = fenced.split('\n').map((_, i) => logicalLine(fenced, i + 1));
      const end = lines.indexOf('# eventcore fence end');
      const rules0 = lines.slice(0, end).filter((line) => splitFields(line).length > 0);
      const reject = rules0.indexOf('host all all all reject');
      assert.ok(reject > 0 && rules0[reject - 1] === 'local all all reject');
      for (const rule of rules0.slice(0, reject - 1)) {
        const user = splitFields(rule)[2]!.tokens;
        assert.ok(user.length === 1 && user[0]!.isQuoted, rule);
        assert.ok(['dr', trialName(mark)].includes(user[0]!.text), rule);
      }
    }),
  );
});

test('wherever the writing of a file ends early, the text that was there is found again', () => {
  fc.assert(
    fc.property(anyText, fc.nat(), fc.boolean(), (text, cut, hasError) => {
      fc.pre(text !== '' && !beginsWithFence(text));
      const fenced = fencedHba(text, rulesOf(text, hasError ? 'wrong' : null), admin, 'plan-1');
      const cutFence = fenced.slice(0, cut % (fenced.length + 1));
      assert.equal(unfencedHba(cutFence, text), text, 'fencing');
      assert.equal(unfencedHba(text.slice(0, cut % (text.length + 1)), text), text, 'taking back');
      // The copy was being written, and the file not yet touched.
      assert.equal(unfencedHba(text, text.slice(0, cut % (text.length + 1))), text, 'keeping');
    }),
    { numRuns: 500 },
  );
});

test('what somebody wrote below a fence, or after one was taken back, is kept', () => {
  const text = 'local all all trust\n';
  const fenced = fencedHba(text, rulesOf(text), admin, 'plan-1');
  assert.equal(unfencedHba(`${fenced}host x y all md5\n`, text), `${text}host x y all md5\n`);
  assert.equal(unfencedHba('local all all peer\n', text), 'local all all peer\n');
  assert.equal(unfencedHba(fenced.slice(0, 300), ''), null);
});
