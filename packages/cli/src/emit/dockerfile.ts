/** A Dockerfile: NVIDIA's base image, Node from its official image, the application's packages, no root. */
import { digitsOf, imageName } from "./cuda-images.js";
import { shippedCuda, type Template } from "./template.js";

const shipped = shippedCuda.map((version) => version.replace(".", "")).join(", ");

export const dockerfile: Template = {
  file: "Dockerfile",
  description: "an image with CUDA, Node and the application in this folder",
  text: ({ image, node }) => `# syntax=docker/dockerfile:1
# Needs package.json with halfbyte among its dependencies, package-lock.json and the application in this folder, and a
# .dockerignore with node_modules.
#   docker build -t app .
#   docker run --rm --gpus all app npx halfbyte doctor

# Node's official build is copied: no package source is added. Pin it as far as you like: --build-arg NODE_VERSION=${node}.x.y
ARG NODE_VERSION=${node}
FROM node:\${NODE_VERSION}-bookworm-slim AS node

FROM node AS packages
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev

# CUDA ${image.cuda} of the image is what frameworks such as onnxruntime-node find; halfbyte's libraries bring their own.
# Which halfbyte library runs is decided by the driver of the host, which the image does not contain.
# A framework that needs cuDNN or cuBLAS needs the flavour cudnn-runtime in the place of base.
FROM ${imageName(image)}
COPY --from=node /usr/local/bin/node /usr/local/bin/node
COPY --from=node /usr/local/lib/node_modules /usr/local/lib/node_modules
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm \\
 && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx \\
 && useradd --create-home --shell /usr/sbin/nologin app

# compute gives libcuda, utility gives NVML and nvidia-smi; without compute there is no driver in the container.
ENV NODE_ENV=production \\
    NVIDIA_VISIBLE_DEVICES=all \\
    NVIDIA_DRIVER_CAPABILITIES=compute,utility

# One library and no other (shipped: ${shipped}), for when \`halfbyte doctor\` recommends it. Without it, the best one is chosen.
# ENV HALFBYTE_CUDA_VERSION=${digitsOf(image)}

WORKDIR /app
COPY --from=packages --chown=app:app /app/node_modules ./node_modules
COPY --chown=app:app . .
USER app
CMD ["npm", "start"]
`,
};
