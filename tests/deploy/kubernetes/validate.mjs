// validate - the objects of a YAML file on stdin against Kubernetes' own schemas: a line for each fault.
// SPDX-License-Identifier: MIT
import { createRequire } from 'node:module';
import fs from 'node:fs';

const YAML = createRequire(import.meta.url)('yaml');
let faults = 0;
for (const document of YAML.parseAllDocuments(fs.readFileSync(0, 'utf8'))) {
  const object = document.toJS();
  // kustomize breaks long base64 into lines; a server's decoder (Go's encoding/base64) passes over them, the format `byte` does not.
  for (const [key, value] of Object.entries(object.kind === 'Secret' ? object.data : {})) object.data[key] = value.replaceAll('\n', '');
  const models = await import(`kubernetes-models/${object.apiVersion}/${object.kind}`);
  try {
    new models[object.kind](object).validate();
  } catch (error) {
    console.log(`${object.kind} ${object.metadata.name}: ${error.message}`);
    faults++;
  }
}
process.exit(faults ? 1 : 0);
