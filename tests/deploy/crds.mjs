// Reads a JSON array of custom resources of the Prometheus operator and says, one line each, what is wrong with them.
// Run with the folder that holds node_modules as its argument: ES modules are looked for beside the importing file only.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [folder] = process.argv.slice(2);
const models = `${folder}/node_modules/@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1`;
for (const resource of JSON.parse(readFileSync(0, "utf8"))) {
  const module = await import(pathToFileURL(`${models}/${resource.kind}.js`));
  try {
    new module[resource.kind](resource).validate();
  } catch (error) {
    console.log(`${resource.kind} ${resource.metadata.name}: ${error.message}`);
  }
}
