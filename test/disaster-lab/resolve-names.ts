/**
 * `NODE_OPTIONS=--import …/resolve-names.ts` stands for an /etc/resolv.conf that names the laboratory's BIND: names of its zone are asked
 * of it by the system's own call for names, every time, and all others as ever. EVENTCORE_LAB_DNS is `zone host port`.
 */
import dns from 'node:dns';
import { syncBuiltinESMExports } from 'node:module';

const [zone, host, port] = (process.env.EVENTCORE_LAB_DNS ?? '').split(' ');
const usual = dns.lookup;
const resolver = new dns.promises.Resolver({ timeout: 500, tries: 2 });
resolver.setServers([`${host}:${port}`]);

type Done = (error: Error | null, address?: string | dns.LookupAddress[], family?: number) => void;

async function answer(name: string, all: boolean, done: Done): Promise<void> {
  let addresses: string[];
  try {
    addresses = await resolver.resolve4(name);
  } catch (error) {
    done(error as Error);
    return;
  }
  if (all)
    done(
      null,
      addresses.map((address) => ({ address, family: 4 })),
    );
  else done(null, addresses[0]!, 4);
}

function lookup(name: string, ...rest: readonly unknown[]): void {
  if (!name.endsWith(`.${zone}`)) {
    Reflect.apply(usual, dns, [name, ...rest]);
    return;
  }
  const options = rest.length > 1 ? rest[0] : {};
  const all = typeof options === 'object' && options !== null && 'all' in options && options.all === true;
  void answer(name, all, rest.at(-1) as Done);
}

/** The same for who awaits it. */
function promisedLookup(name: string, options: dns.LookupOptions = {}): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const done: Done = (error, address, family) => {
      if (error !== null) reject(error);
      else resolve(options.all === true ? address : { address, family });
    };
    lookup(name, options, done);
  });
}

Object.assign(dns, { lookup });
Object.assign(dns.promises, { lookup: promisedLookup });
syncBuiltinESMExports();
