/** The data source as Power Apps' tool generates it, with the operations that the app uses. */
export const dataSourcesInfo = {
  outlook: {
    tableId: "",
    version: "",
    primaryKey: "",
    dataSourceType: "Connector",
    apis: {
      SendEmailV2: {
        path: "/{connectionId}/v2/Mail",
        method: "POST",
        parameters: [
          { name: "connectionId", in: "path", required: true, type: "string" },
          { name: "emailMessage", in: "body", required: true, type: "object" },
        ],
        responseInfo: { 200: { type: "void" } },
      },
    },
  },
};
