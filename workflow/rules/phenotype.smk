rule phenotype:
    input:
        measurements=result("measurements.parquet"),
        quality=result("quality.zarr"),
        contacts=result("contacts.parquet"),
        gates=shared_gates,
        control=control,
        panel=ancient(panel),
    output:
        phenotypes=result("phenotypes.parquet"),
        gates=result("gates.csv"),
    log:
        result("logs/phenotype.log"),
    benchmark:
        result("logs/phenotype.tsv")
    conda:
        "../../envs/mifprofile.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
    params:
        config=CONFIG,
        gates=lambda wildcards, input: ["--gates", input.gates] if input.gates else [],
        out=folder,
        panel=panel_part(),
        section=section("phenotype"),
    shell:
        "mifprofile phenotype -o {params.out:q} --panel {input.panel:q} "
        "{params.gates:q} --config {params.config:q} > {log:q} 2>&1"
