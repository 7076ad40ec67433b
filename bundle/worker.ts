// A thread of a bundled Millrace: piscina starts this file, which lies where piscina's own would lie.
import { loadWorker } from './load-worker.js'

loadWorker(__dirname)
