import { BackupError } from '../core/errors.ts';
import { findPassword } from './password-file.ts';
import { type ConnectionSettings, isSocket, type Place, SOCKET_FOLDERS } from './settings.ts';

/** Called when a server asks for one. The file is read then, so that one that was changed counts. */
export function passwordFor(settings: ConnectionSettings, place: Place): () => string {
  return () => {
    if (settings.password !== null) return settings.password;
    const { passwordFile: path, user, database } = settings;
    const login = { host: hostInFile(place), port: place.port, database, user };
    const { password, refused } = findPassword(path, login);
    if (password) return password;
    throw new BackupError(
      'store_refused',
      refused ?? `the server asks for a password of ${user}, and there is none`,
      {
        hint:
          refused === null
            ? `set PGPASSWORD, or write a line for ${login.host}:${place.port}:${database}:${user} into ${path}`
            : `chmod 0600 ${path}`,
      },
    );
  };
}

/** Sockets where they usually are stand there as localhost. */
function hostInFile(place: Place): string {
  return isSocket(place) && SOCKET_FOLDERS.includes(place.host) ? 'localhost' : place.host;
}
