// The main thread of a bundled Millrace: bin/millrace calls it.
import { loadMain } from './load-main.js'

export const { main } = loadMain(__dirname)
