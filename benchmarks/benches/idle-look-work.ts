// The reference of bench idle: a bare process that stats every file under a folder once a second.
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

const [root = '.'] = process.argv.slice(2)
const files = readdirSync(root, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name))
setInterval(() => {
  for (const file of files) statSync(file)
}, 1000)
