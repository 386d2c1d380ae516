/** Draws docs/pictures/architecture.svg from the imports of src/. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { drawArchitecture } from './architecture/draw.ts';
import { readRooms } from './architecture/rooms.ts';

writeFileSync(join(import.meta.dirname, '../docs/pictures/architecture.svg'), drawArchitecture(readRooms()));
