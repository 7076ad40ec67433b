// Runs a bundled node once and keeps what V8 compiled of one of its bundles: node record.js <packed folder> <configuration> <main | thread group>.
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import v8 from 'node:v8'
import workerThreads, { Worker } from 'node:worker_threads'
import { fileURLToPath } from 'node:url'
import { loadMain } from './load-main.js'

const [folder = '', config = '', part = 'main'] = process.argv.slice(2)
const recordWorker = fileURLToPath(new URL('./record-worker.js', import.meta.url))

// V8 takes compiled code only under the flags it was made with: those of a start.
v8.setFlagsFromString = () => undefined
if (part !== 'main')
  workerThreads.Worker = new Proxy(Worker, {
    construct: (_, [, options]: [unknown, object]) =>
      new Worker(recordWorker, {
        ...options,
        env: { ...process.env, RECORD_FOLDER: folder, RECORD_GROUP: part },
      }),
  })

const { main, compiled } = loadMain(folder)
process.exitCode = await main(['node', 'millrace', 'run', '--once', '-c', config])
if (part === 'main') writeFileSync(path.join(folder, 'main.bundle.js.cache'), compiled())
